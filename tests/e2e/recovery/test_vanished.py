"""A single session folder that was deleted, and made anew by its bot: empty, and known as a session."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.integration.faults.forked import run_cli
from tests.support import company_folder


def test_what_the_state_knows_as_a_session_is_a_loss_and_no_blank_line(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "shop", None, {"pre-key-30.json": timedelta()})
    env = {
        "BAILEYS_SESSIONS_PATH": str(folder),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }
    for words in (("backup", "--quiet"), ("monitor-once", "--quiet")):
        assert run_cli(*words, env=env).returncode == 0
    shutil.rmtree(folder)
    folder.mkdir()

    def said(*words: str) -> Any:
        (company,) = json.loads(run_cli(*words, "--json", env=env).stdout)["companies"]
        return company

    recovered = said("recover", "--dry-run")
    assert recovered["cause"]["cause"] == "creds-lost"
    assert recovered["steps"][0]["step"] == "restore"
    for verb in ("monitor-once", "status"):
        codes = [one["code"] for one in said(verb)["findings"]]
        assert codes[0] == "creds-missing"


def test_nothing_to_recover_is_said_as_by_every_other_command(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "empty"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }
    verbs = (
        ("recover",),
        ("cleanup",),
        ("backup",),
        ("status",),
        ("inspect",),
        ("undo", "--list"),
        ("trigger",),
    )
    said = {run.stderr for verb in verbs if (run := run_cli(*verb, env=env)).returncode == 10}
    assert len(said) == 1
    assert "no session folder in" in said.pop()
    assert [run_cli(*verb, env=env).returncode for verb in verbs] == [10] * len(verbs)
