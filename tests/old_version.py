"""What version 0.1.0 left behind, laid out anew: its session folders, its state and its repository."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

DATA = Path(__file__).parent / "data" / "version_0_1_0"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""When its last run was."""


def lay_sessions(root: Path) -> Path:
    """Make its sessions in `root`: 1001 is well, 1002 has lost its creds.json, `gone` is not there any more."""
    spec = importlib.util.spec_from_file_location("old_sessions", DATA / "make.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for number, company in enumerate(("1001", "1002")):
        make.lay(root, company, number)
    (lost := root / "company_1002" / "creds.json").write_text("")
    os.utime(lost, (NOW.timestamp() - 5400,) * 2)
    return root


def lay_state(folder: Path, root: Path) -> Path:
    """Make its state, that of sessions in `root`."""
    folder.mkdir(mode=0o700)
    with sqlite3.connect(folder / "state.sqlite3") as database:
        database.executescript((DATA / "state.sql").read_text().replace("@ROOT@", str(root.resolve())))
    database.close()
    (folder / "state.sqlite3").chmod(0o600)
    return folder


def lay_repository(folder: Path, root: Path) -> Path:
    """Make its repository, that of sessions in `root`."""
    shutil.copytree(DATA / "repository", folder)
    for index in folder.glob("*/index.json"):
        index.write_text(index.read_text().replace("@ROOT@", str(root.resolve())))
    return folder
