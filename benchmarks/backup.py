"""What backups cost beside restic, borg and tar | zstd on the same folders.

`make bench ARGS="--only backup"` measures the first backup, one where nothing changed, one where 1 % of the
companies changed, and the restore of one company, in alternating pairs with restic. `python -m benchmarks.backup`
is a day of 288 runs on a few companies, for the size on disk: it takes a quarter of an hour.

restic and borg come from the distribution (`apt install restic borgbackup`); without restic there is nothing to
compare with, and that is said.
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
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import COMMAND, Bench, Row, Run, memory_row, note, ratio_row, say
from benchmarks.tree import company_files

FIRST, UNCHANGED, CHANGED, RESTORE = 1.0, 0.25, 0.4, 0.6
"""Most seconds as a ratio to restic's."""
DAY_RUNS = 288
KEEP = ["--keep-last=12", "--keep-hourly=24", "--keep-daily=7", "--keep-weekly=4"]
"""The default retention, as restic and borg spell it."""


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
                "signedPreKey": {"keyPair": pair, "signature": pair["public"], "keyId": 1},
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
    """A backup tool with a repository of its own."""

    def __init__(self, name: str, bench: Bench, sessions: Path) -> None:
        self.name = name
        self.repository = bench.place / name.replace(" | ", "-")
        self._bench = bench
        self._sessions = sessions
        self._number = 0

    def prepare(self) -> None:
        """Make an empty repository, in the place of what was there."""
        shutil.rmtree(self.repository, ignore_errors=True)
        if self.name == "restic":
            self._run("restic", "init", "-q", "-r", self.repository)
        elif self.name == "borg":
            self._run("borg", "init", "-e", "none", self.repository)
        else:
            self.repository.mkdir()
        os.sync()

    def back_up(self, at: int | None = None) -> Run:
        """Take one backup; `at` (seconds since 1970) is the time that it takes for now."""
        self._number += 1
        when = datetime.fromtimestamp(at or time.time(), UTC)
        if self.name == "restic":
            dated = ["--time", f"{when:%Y-%m-%d %H:%M:%S}"] if at else []
            return self._run("restic", "backup", "-q", "-r", self.repository, *dated, self._sessions)
        if self.name == "borg":
            dated = ["--timestamp", f"{when:%Y-%m-%dT%H:%M:%S}"] if at else []
            archive = f"{self.repository}::{self._number}"
            return self._run("borg", "create", "-C", "zstd,3", *dated, archive, self._sessions)
        if self.name == "tar | zstd":
            archive = f"{self.repository}/{self._number}.tar.zst"
            return self._run("sh", "-c", f"tar c -P {self._sessions} | zstd -q -3 -o {archive}")
        if at:
            return self._run(sys.executable, "-c", _AS_OF, self._sessions, self.repository, str(at))
        return self._run(COMMAND, "backup", "--quiet", "--sessions", self._sessions)

    def restore_one(self, company: int, target: Path) -> Run:
        """Bring one company's folder back to `target` and to disk."""
        shutil.rmtree(target, ignore_errors=True)
        folder = f"company_{1000 + company}"
        if self.name == "restic":
            command = (
                f"restic restore -q -r {self.repository} latest --target {target} --include {folder}"
                f" && sync -f {target}"
            )
            return self._run("sh", "-c", command)
        return self._run(COMMAND, "restore", "--quiet", "--company", str(1000 + company), "--target", target)

    def forget(self) -> None:
        """Apply the default retention, which `baileys-tools backup` has done by itself."""
        if self.name == "restic":
            self._run("restic", "forget", "-q", "--prune", "-r", self.repository, *KEEP)
        elif self.name == "borg":
            self._run("borg", "prune", *KEEP, self.repository)
            self._run("borg", "compact", self.repository)

    def size(self) -> int:
        """Bytes on disk."""
        listing = subprocess.run(["du", "-s", "-B1", self.repository], capture_output=True, check=True)
        return int(listing.stdout.split()[0])

    def _run(self, *command: str | Path) -> Run:
        return self._bench.run(
            command,
            TZ="UTC",
            RESTIC_PASSWORD="benchmark",
            BORG_BASE_DIR=str(self._bench.place / "borg-base"),
            BAILEYS_TOOLS_BACKUP_PATH=str(self.repository),
        )


_AS_OF = """
import datetime, os, sys
from baileys_tools.snapshots.backup import run_backup
from baileys_tools.config import load_settings
now = datetime.datetime.fromtimestamp(int(sys.argv[3]), datetime.UTC)
run_backup(load_settings({}, os.environ).settings, sys.argv[1], sys.argv[2], now)
"""
"""A backup as of another time, so that the hours of a day fill up."""


# --- rounds -------------------------------------------------------------------------------------------------


def rows(bench: Bench) -> Iterator[Row]:
    """Measure backups and restores in pairs with restic; the others once, for the sizes."""
    if shutil.which("restic") is None:
        note("restic is missing, so backups are not measured: apt install restic borgbackup")
        return
    chance = random.Random(7)
    sessions = bench.place / "sessions"
    say(f"building {bench.companies} companies of 200 files that hold keys")
    build(sessions, bench.companies, chance)
    ours, restic = Tool("baileys-tools", bench, sessions), Tool("restic", bench, sessions)
    # The first reading warms the cache.
    bench.run(["sh", "-c", f"tar c -P {sessions} | cat >/dev/null"])
    first = _pairs(bench, (ours, restic), before=lambda tool: tool.prepare())
    yield ratio_row("first backup / restic", FIRST, *first)
    yield memory_row("first backup", first[0])
    sizes = {tool.name: tool.size() for tool in (ours, restic)}
    yield ratio_row("unchanged backup / restic", UNCHANGED, *_pairs(bench, (ours, restic)))
    hundredth = range(max(1, bench.companies // 100))
    changed: tuple[list[Run], list[Run]] = ([], [])
    for _ in range(bench.runs):
        change(sessions, hundredth, chance)
        for runs, run in zip(changed, _pairs(bench, (ours, restic), runs=1), strict=True):
            runs += run
    yield ratio_row("backup, 1 % changed / restic", CHANGED, *changed)
    target = bench.place / "restored"
    restored: tuple[list[Run], list[Run]] = ([], [])
    for number in range(bench.runs):
        restored[0].append(ours.restore_one(number, target))
        restored[1].append(restic.restore_one(number, target))
    yield ratio_row("restore of one company / restic", RESTORE, *restored)
    for tool in _others(bench, sessions):
        tool.prepare()
        took = tool.back_up()
        sizes[tool.name] = tool.size()
        note(f"first backup with {tool.name}: {took.seconds:.2f} s")
    note(
        "on disk after the first: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())
    )


def _pairs(
    bench: Bench,
    tools: tuple[Tool, Tool],
    *,
    before: Callable[[Tool], None] = lambda tool: None,
    runs: int | None = None,
) -> tuple[list[Run], list[Run]]:
    """Let both take a backup in turn, again and again; what is still to be written is on disk before each."""
    found: tuple[list[Run], list[Run]] = ([], [])
    for _ in range(runs or bench.runs):
        for tool, taken in zip(tools, found, strict=True):
            before(tool)
            os.sync()
            taken.append(tool.back_up())
    return found


def _others(bench: Bench, sessions: Path) -> Iterator[Tool]:
    """tar | zstd, and borg last, as it drops the page cache."""
    for name in ("tar | zstd", "borg"):
        if all(shutil.which(word) for word in name.split(" | ")):
            yield Tool(name, bench, sessions)
        else:
            note(f"{name} is missing: apt install zstd borgbackup")


# --- a day --------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--companies", type=int, default=3, help="bots that always write (default 3)")
    parser.add_argument("--runs", type=int, default=DAY_RUNS, help="runs of the day, 5 minutes apart")
    parser.add_argument("--place", type=Path, help="folder to work in (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baileys-tools-day-", dir=options.place) as place:
        day(Bench(Path(place), options.companies, 1), options.runs)
    return 0


def day(bench: Bench, runs: int) -> None:
    """A day of runs every 5 minutes on bots that always write; sizes with the default retention."""
    chance = random.Random(8)
    sessions = bench.place / "sessions"
    build(sessions, bench.companies, chance)
    ours = Tool("baileys-tools", bench, sessions)
    tools = [ours, *(Tool(name, bench, sessions) for name in ("restic", "borg") if shutil.which(name))]
    for tool in tools:
        tool.prepare()
    # From midnight, so that the day does not end in between.
    started = int(time.time()) // 86400 * 86400 - 2 * 86400
    raw = sum(path.stat().st_size for path in sessions.rglob("*.json"))
    print(f"{runs} runs in a day, {bench.companies} companies of {raw / bench.companies / 1000:.0f} kB each")
    seconds = dict.fromkeys((tool.name for tool in tools), 0.0)
    for run in range(runs):
        change(sessions, range(bench.companies), chance)
        for tool in tools:
            seconds[tool.name] += tool.back_up(started + run * 86400 // runs).seconds
    for tool in tools:
        before = tool.size()
        tool.forget()
        after = f"{before / 1e6:.2f} MB, after retention {tool.size() / 1e6:.2f} MB"
        print(f"{tool.name}: {after}, {seconds[tool.name] / runs:.2f} s a run", flush=True)


if __name__ == "__main__":
    sys.exit(main())
