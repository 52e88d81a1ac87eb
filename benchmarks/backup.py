"""What backups cost beside restic, borg and tar | zstd on the same folders: `python -m benchmarks.backup`.

Three rounds, each after the same change to the folders: the first backup, nothing changed, 1 % of the
companies changed (their creds and three sessions rewritten). Then a day of 288 runs on a few companies, for
the size on disk. restic and borg come from the distribution; whichever is missing is left out. borg goes last,
as it drops the page cache. Exits with 1 when a limit is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from benchmarks.tree import company_files

COMMAND = Path(sys.executable).parent / "baileys-tools"
LIMITS = {"first": 1.0, "unchanged": 0.25, "1% changed": 0.4}
"""Seconds as a ratio to restic's."""
DAY_RUNS = 288


def key(chance: random.Random, size: int) -> str:
    """Random bytes as Baileys writes them: most of a session folder is keys, which do not compress."""
    return b64encode(chance.randbytes(size)).decode()


def content(name: str, size: int, chance: random.Random) -> bytes:
    """A file as large as the bot's, half of it keys."""
    if name == "creds.json":
        pair = {
            "private": {"type": "Buffer", "data": key(chance, 32)},
            "public": {"type": "Buffer", "data": key(chance, 32)},
        }
        return json.dumps(
            {
                "noiseKey": pair,
                "signedIdentityKey": pair,
                "signedPreKey": {"keyPair": pair, "keyId": 1},
                "registrationId": 117,
                "advSecretKey": key(chance, 32),
                "nextPreKeyId": 421,
                "firstUnuploadedPreKeyId": 421,
                "accountSyncCounter": 1,
                "me": {"id": "919585510685:17@s.whatsapp.net", "lid": "270996591579169:17@lid"},
                "account": {"details": key(chance, 60)},
            }
        ).encode()
    return json.dumps(
        {"type": "Buffer", "data": key(chance, max(16, size // 2)), "state": "x" * (size // 4)}
    ).encode()


def build(root: Path, companies: int, chance: random.Random) -> None:
    for company in range(companies):
        folder = root / f"company_{1000 + company}"
        folder.mkdir(parents=True)
        for file in company_files(company):
            path = folder / file.name
            path.write_bytes(content(file.name, len(file.content), chance))
            then = time.time() - file.age_seconds
            os.utime(path, (then, then))


def change(root: Path, numbers: range, chance: random.Random) -> None:
    """Let some bots save their creds and three sessions."""
    for number in numbers:
        folder = root / f"company_{1000 + number}"
        sessions = sorted(folder.glob("session-*"))[-3:]
        for path in (folder / "creds.json", *sessions):
            path.write_bytes(content(path.name, path.stat().st_size, chance))


class Tool:
    """A backup tool with a repository of its own below `place`."""

    def __init__(self, name: str, place: Path, sessions: Path) -> None:
        self.name = name
        self.repository = place / name.replace(" | ", "-")
        self._sessions = sessions
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "RESTIC_PASSWORD": "benchmark",
            "BORG_BASE_DIR": str(place / "borg-base"),
            "BAILEYS_TOOLS_STATE_DIR": str(place / "state"),
            "BAILEYS_TOOLS_BACKUP_PATH": str(self.repository),
        }
        self._number = 0

    def prepare(self) -> None:
        if self.name == "restic":
            self._run(["restic", "init", "-q", "-r", str(self.repository)])
        elif self.name == "borg":
            self._run(["borg", "init", "-e", "none", str(self.repository)])
        else:
            self.repository.mkdir()

    def back_up(self) -> float:
        """Take one backup and return its seconds."""
        self._number += 1
        repository, sessions = str(self.repository), str(self._sessions)
        commands: Mapping[str, list[str]] = {
            "baileys-tools": [str(COMMAND), "backup", "--quiet", "--sessions", sessions],
            "restic": ["restic", "backup", "-q", "-r", repository, sessions],
            "borg": ["borg", "create", "-C", "zstd,3", f"{repository}::{self._number}", sessions],
            "tar | zstd": [
                "sh",
                "-c",
                f"tar c {sessions} | zstd -q -3 -o {repository}/{self._number}.tar.zst",
            ],
        }
        return self._run(commands[self.name])

    def restore_one(self, company: str, target: Path) -> float:
        """Bring one company's folder back to `target` and to disk; return the seconds."""
        commands: Mapping[str, list[str]] = {
            "baileys-tools": [
                *(str(COMMAND), "restore", "--company", company, "--target", str(target), "--yes"),
                *("--sessions", str(self._sessions)),
            ],
            "restic": [
                *("sh", "-c"),
                (
                    f"restic restore -q -r {self.repository} latest --target {target} "
                    f"--include company_{company} && sync -f {target}"
                ),
            ],
        }
        return self._run(commands[self.name])

    def forget(self) -> None:
        """Apply the default retention, as `backup` does by itself."""
        keep = ["--keep-last=12", "--keep-hourly=24", "--keep-daily=7", "--keep-weekly=4"]
        if self.name == "restic":
            self._run(["restic", "forget", "-q", "--prune", "-r", str(self.repository), *keep])
        elif self.name == "borg":
            self._run(["borg", "prune", *keep, str(self.repository)])
            self._run(["borg", "compact", str(self.repository)])

    def size(self) -> int:
        """Bytes on disk."""
        listing = subprocess.run(["du", "-s", "-B1", self.repository], capture_output=True, check=True)
        return int(listing.stdout.split()[0])

    def _run(self, command: list[str]) -> float:
        started = time.perf_counter()
        subprocess.run(command, env=self._environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def tools(place: Path, sessions: Path, names: list[str]) -> list[Tool]:
    found = [
        Tool(name, place, sessions)
        for name in names
        if shutil.which(name.split()[0]) or name == "baileys-tools"
    ]
    for tool in found:
        tool.prepare()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=1000)
    parser.add_argument(
        "--day", type=int, default=3, help="companies of the day of 288 runs; 0 leaves it out"
    )
    parser.add_argument("--place", type=Path, help="folder to work in [default: a temporary one]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.place) as place:
        passed = rounds(Path(place), options.companies)
    if options.day:
        with tempfile.TemporaryDirectory(dir=options.place) as place:
            day(Path(place), options.day)
    return 0 if passed else 1


def rounds(place: Path, companies: int) -> bool:
    chance = random.Random(7)
    sessions = place / "sessions"
    build(sessions, companies, chance)
    subprocess.run(["sync"], check=True)
    found = tools(place, sessions, ["baileys-tools", "restic", "tar | zstd", "borg"])
    passed = True
    for round_name in LIMITS:
        if round_name == "1% changed":
            change(sessions, range(max(1, companies // 100)), chance)
        # The first reading warms the cache, for whoever would come first.
        subprocess.run(["tar", "c", "-f", "/dev/null", sessions], check=True, capture_output=True)
        time.sleep(3)
        seconds = {tool.name: tool.back_up() for tool in found}
        sizes = {tool.name: tool.size() for tool in found}
        print(f"{round_name}: " + ", ".join(f"{name} {took:.2f} s" for name, took in seconds.items()))
        print("  on disk: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()))
        if "restic" in seconds:
            ratio = seconds["baileys-tools"] / seconds["restic"]
            verdict = "ok" if ratio <= LIMITS[round_name] else "TOO SLOW"
            print(f"  {ratio:.2f} x restic, limit {LIMITS[round_name]}: {verdict}", flush=True)
            passed = passed and ratio <= LIMITS[round_name]
    return passed


def day(place: Path, companies: int) -> None:
    """A day of runs every 5 minutes on bots that always write; sizes with the default retention."""
    chance = random.Random(8)
    sessions = place / "sessions"
    build(sessions, companies, chance)
    found = tools(place, sessions, ["baileys-tools", "restic", "borg"])
    started = int(time.time()) - DAY_RUNS * 300
    raw = sum(path.stat().st_size for path in sessions.rglob("*.json"))
    for run in range(DAY_RUNS):
        change(sessions, range(companies), chance)
        for tool in found:
            if tool.name == "baileys-tools":
                at_time(tool, started + run * 300)
            else:
                tool.back_up()
    for tool in found:
        before = tool.size()
        tool.forget()
        print(f"{tool.name}: {before / 1e6:.2f} MB, after retention {tool.size() / 1e6:.2f} MB")
    print(
        f"a day of {DAY_RUNS} runs, {companies} companies of {raw / companies / 1000:.0f} kB each", flush=True
    )


def at_time(tool: Tool, moment: int) -> None:
    """Take a backup as of another time, so that the hours of the day fill up."""
    script = (
        "import datetime, os, sys; from baileys_tools.commands import backup as b; "
        "from baileys_tools.config import load_settings; "
        "s = load_settings({}, os.environ).settings; "
        "b.run_backup(s, sys.argv[1], sys.argv[2], datetime.datetime.fromtimestamp(int(sys.argv[3]), datetime.UTC))"
    )
    subprocess.run(
        [sys.executable, "-c", script, tool._sessions, tool.repository, str(moment)],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
