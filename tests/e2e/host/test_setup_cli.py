"""`setup`: what it asks, what it writes, and what it leaves alone. The whole way is walked in test_quickstart.py."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from baileys_tools.host.show.setup_text import Answers, is_yes, plan_text
from tests.integration.faults.forked import run_cli
from tests.support import company_folder
from tests.terminal import Screen


class Host:
    """A home without settings, and a root with bots."""

    def __init__(self, folder: Path) -> None:
        self.home, self.bots = folder / "home", folder / "bots"
        self.home.mkdir()
        company_folder(self.bots, "1001")
        self.settings = self.home / ".config" / "baileys-tools" / "config.yaml"
        self.key = self.home / "baileys-tools-key.txt"
        # Without a crontab program: its jobs are test_quickstart.py's.
        self.env = {
            "HOME": str(self.home),
            "BAILEYS_TOOLS_STATE_DIR": str(folder / "state"),
            "PATH": "/nowhere",
        }

    def __call__(self, *words: str | Path) -> CompletedProcess[str]:
        return run_cli(*words, env=self.env, cwd=self.home)

    def setup(self, *words: str | Path) -> CompletedProcess[str]:
        return self("setup", "--sessions", self.bots, "--no-jobs", *words)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    before = os.umask(0o002)  # modes must not depend on it
    yield Host(tmp_path)
    os.umask(before)


def test_a_dry_run_shows_what_would_be_and_writes_nothing(host: Host) -> None:
    done = host.setup("--dry-run")
    assert done.returncode == 0
    assert f"sessions {host.bots} (1 session folder: 1001)" in " ".join(done.stdout.split())
    assert str(host.key) in done.stdout
    assert os.listdir(host.home) == []


def test_what_it_says_to_type_next_is_about_the_settings_that_it_wrote(host: Host) -> None:
    settings = host.home / "mine.yaml"
    done = host.setup("--yes", "--config", settings)
    hints = " ".join(done.stdout.split()).split("baileys-tools ")[1:]
    about = [hint for hint in hints if not hint.startswith("help ")]
    assert len(about) >= 5
    assert [hint for hint in about if f"--config {settings}" not in hint] == []


def test_with_yes_it_sets_up_and_the_key_opens_what_is_kept(host: Host, tmp_path: Path) -> None:
    done = host.setup("--yes", "--backup", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    assert "No job" not in done.stdout
    for made in (host.settings, host.key):
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert "AGE-SECRET-KEY" in host.key.read_text()
    assert "AGE-SECRET-KEY" not in done.stdout + done.stderr + host.settings.read_text()
    assert host("config", "check").returncode in (0, 4)
    assert "1 taken" in host("backup").stdout
    assert host("verify", "--deep", "--identity", host.key).returncode == 0
    assert "identity_file" not in [
        line.strip().split(":")[0] for line in host.settings.read_text().splitlines()
    ]
    again = host.setup("--yes")
    assert again.returncode == 2
    assert "has been set up" in again.stderr
    for hint in again.stderr.split("Look at it: ")[1].split(". Anew")[0].split(", "):
        assert host(*hint.split()[1:]).returncode in (0, 4), hint


def test_anew_by_force_keeps_what_was_set_and_never_a_key(host: Host) -> None:
    assert host.setup("--yes").returncode == 0
    kept = host.key.read_text()
    with host.settings.open("a") as file:
        file.write("templates: {shop: {cleanup: {until: 120}}}\n")
    assert host.setup("--yes", "--force").returncode == 0
    text = host.settings.read_text()
    assert "until: 120" in text
    assert host.key.read_text() == kept, "its public half is in the settings: no new one is made"
    host.settings.unlink()
    refused = host.setup("--yes")
    assert refused.returncode == 2
    assert "never overwritten" in refused.stderr
    assert host.key.read_text() == kept
    assert not host.settings.exists()


def test_it_asks_nobody_where_nobody_can_answer(host: Host) -> None:
    done = host.setup()
    assert done.returncode == 13
    assert "--yes" in done.stderr
    assert os.listdir(host.home) == []


def test_where_no_session_folder_is_it_writes_nothing(host: Host, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = host("setup", "--sessions", tmp_path / "empty", "--yes", "--no-jobs")
    assert done.returncode == 10
    assert f"baileys-tools sessions --sessions {tmp_path / 'empty'}" in done.stderr
    assert os.listdir(host.home) == []


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("--recipient", "nonsense"), "invalid age recipient"),
        (("--backup", "INSIDE"), "Give it a folder of its own"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(host: Host, words: tuple[str, str], wrong: str) -> None:
    option, value = words
    done = host.setup("--yes", option, value.replace("INSIDE", str(host.bots / "company_1001" / "kept")))
    assert done.returncode == 2
    assert wrong in done.stderr
    assert os.listdir(host.home) == []
    assert not (host.bots / "company_1001" / "kept").exists()


def test_five_questions_on_a_terminal(host: Host) -> None:
    with Screen("setup", env=host.env) as screen:
        for number, answer in enumerate(
            (str(host.bots), "https://hooks.example.org/T0", "", "perhaps", "no"), 1
        ):
            asked = f"{number}/5"
            screen.wait_for(lambda seen, asked=asked: asked in seen.text)  # type: ignore[misc]
            screen.type(answer + "\n")
            if answer == "perhaps":
                screen.wait_for(lambda seen: "Type yes or no." in seen.text)
                screen.type("\n")
        screen.wait_for(lambda seen: "Go on? [y/N]" in seen.text)
        assert not host.settings.exists()
        screen.type("y\n")
        screen.wait_for(lambda seen: "notify test" in seen.text)
    webhook = host.settings.parent / "webhook"
    assert webhook.read_text() == "https://hooks.example.org/T0\n"
    assert stat.S_IMODE(webhook.stat().st_mode) == 0o600
    assert f"webhook_file: {webhook}" in host.settings.read_text()
    assert "hooks.example.org" not in host.settings.read_text()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("y", True), (" YES ", True), ("no", False), ("N", False), ("", None), ("maybe", None)],
)
def test_what_is_a_yes(typed: str, meant: bool | None) -> None:
    assert is_yes(typed) is meant


def test_a_hostile_name_reaches_no_terminal() -> None:
    answers = Answers(["/srv/a\x1b]0;x\x07"], "", "", "/b", "", "", False)
    text = plan_text(answers, {"1\x1b[31m": 1, "*\n": 3}, "/c")
    assert "4 session folders" in text
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
