"""docs/quickstart.md as a transcript: every line is typed into one shell on a clean account, and answers as shown."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from fixtures.lay import lay
from tests import guard
from tests.cronhost import MOUNTED, SYSTEM_PATH, CronHost
from tests.support import COMMAND, scrubbed_environment

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
MARK = "-- typed --"
LAYOUTS = ("bot/sessions/company_2001", "shop/auth_info_baileys", "api/instances/alice")

VARYING = [
    (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN"),
    (r"Python \S+ \(.*", "Python"),
    (r"\d+% of the disk and \d+% of the inodes", "N% of the disk and N% of the inodes"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC.*", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME"),
    (r"\d+\.\dh\b", "Nh"),
    (r"/var/lib/baileys-tools|/home/bot/.local/state/baileys-tools", "STATE"),
    (r"age1[0-9a-z]+", "AGE1"),
    (r"\d+s ago", "Ns ago"),
    (r"[\d.,]+ kB", "N kB"),
    (r"the crontab of \w+", "the crontab of USER"),
    (r"^(  [a-z-]+ +)[0-9*/,-]+ [0-9*]+ \* \* [0-9*] +", r"\1TIME "),
    (r"^(clock +)(ok|note) +", r"\1ok "),
]
"""What differs from host to host and from run to run."""


class Hook(BaseHTTPRequestHandler):
    taken: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name http.server gives it)
        pass


def transcript() -> list[tuple[str, list[str]]]:
    """What is typed, and the answer that the page shows to it."""
    typed: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                typed.append((line[2:], []))
            else:
                typed[-1][1].append(line)
    return typed


def same(line: str) -> str:
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return re.sub(r" +", " ", line).rstrip()


def fits(shown: list[str], real: list[str]) -> bool:
    """Whether the answer is as shown; `...` stands for any lines."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(same(line)) + "\n" for line in shown)
    text = "".join(line + "\n" for line in map(same, real) if line != " -> timedatectl set-ntp true")
    return re.fullmatch(pattern, text) is not None


@pytest.mark.root
def test_ten_lines_lead_from_nothing_to_three_bots_that_are_kept(tmp_path: Path) -> None:
    typed = transcript()
    assert len(typed) <= 10
    host = CronHost(tmp_path)
    bots = {name: tmp_path / "bots" / name for name in LAYOUTS}
    for path in bots.values():
        laid = lay("bloated-v6", tmp_path / path.name, datetime.now(UTC))
        path.parent.mkdir(parents=True)
        (laid / "company_2001").rename(path)
    home = tmp_path / "home" / "bot"
    home.mkdir(parents=True)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    # The installation itself is tried by .ci/run: it needs the network.
    (bin_folder / "pipx").write_text(f'#!/bin/sh\nln -s {COMMAND} "{bin_folder}/baileys-tools"\n')
    (bin_folder / "pipx").chmod(0o755)

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hook = f"http://127.0.0.1:{server.server_address[1]}/T0/B0"
        script = "\n".join(f"echo '{MARK}'\n{line}" for line, _ in typed)
        script = script.replace("https://hooks.example.org/T0/B0", hook)
        own = guard.but(*MOUNTED, "/home", "/srv")
        environment = scrubbed_environment({"PATH": f"{bin_folder}:{SYSTEM_PATH}", **own})
        del environment["BAILEYS_TOOLS_STATE_DIR"]
        # The page's own places, and root's state folder, inside the namespace alone.
        (tmp_path / "var-lib").mkdir()
        places = f"""
            mount --bind {tmp_path}/bots /srv
            mount --bind {tmp_path}/home /home
            mount --bind {tmp_path}/var-lib /var/lib
            export HOME=/home/bot
            exec bash -s
        """
        run = subprocess.run(
            host.command("sh", "-ec", places),
            input=script,
            env=environment,
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        server.shutdown()
    said = run.stdout
    answers = said.split(MARK + "\n")[1:]
    assert len(answers) == len(typed), said
    for (line, shown), answer in zip(typed, answers, strict=True):
        assert fits(shown, answer.splitlines()), f"$ {line}\n{answer}"

    assert len(Hook.taken) == 1, "the test alert arrived"
    assert b"monitor-once" in host.installed()
    assert b"--config /home/bot/.config/baileys-tools/config.yaml " in host.installed()
    for path in bots.values():
        assert len(os.listdir(path)) < 150, "cleaned"
    kept = sorted((home / "baileys-backups").glob("company_*/*.tar*"))
    assert len(kept) == 3, "backed up"
    assert all(path.read_bytes().startswith(b"age-encryption.org/v1") for path in kept), "encrypted"
    assert (home / "baileys-tools-key.txt").stat().st_mode & 0o777 == 0o600
