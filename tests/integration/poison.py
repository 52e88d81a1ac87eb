"""Session folders that somebody has spoilt on purpose, each in another way: what a fleet has to get past."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.support import company_folder, creds, write_key

OWN = ".baileys-tools"
OLD = timedelta(days=30)
DEEP = 1_200
"""Folders in folders: more than an interpreter goes down, or has handles for."""
OLD_RUN = "20200101T000000Z-000abc"
RUN_OF_A_REPAIR = "20200101T000000Z-000abc-r"


def nest(folder: Path, depth: int) -> None:
    """Make folders in folders: deeper than a path may be long, so one handle after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def own_file(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / OWN).mkdir(exist_ok=True)
    path = folder / OWN / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def sparse(path: Path, size: int = 1 << 40) -> None:
    """Make a file of a size that no disk has."""
    with path.open("ab") as file:
        for exponent in range(40, 30, -1):
            try:
                file.truncate(min(size, 1 << exponent))
            except OSError:
                continue
            return


def _journal(folder: Path) -> None:
    unit = '{"version": 1, "mode": "repair", "run": "%s", "set_aside": [[["session-1.0.json", 1e999, 1, 1]]]'
    own_file(folder, "restore.json", unit % RUN_OF_A_REPAIR + ', "bring_back": []}')


def _large_journal(folder: Path) -> None:
    own_file(
        folder,
        "restore.json",
        b'{"version": 1, "mode": "rollback", "files": {"x": [' + b"[]," * (21 << 20) + b"1]}}",
    )


def _reset_journal(folder: Path) -> None:
    begin = f'{{"version": 1, "in": {folder.stat().st_ino}, '
    own_file(folder, "reset.json", begin + '"out": 1e999, "run": 1e999, "from": [[]]}')


def _nested_run(folder: Path) -> None:
    nest(folder / OWN / "quarantine" / OLD_RUN / "session-1.0.json", DEEP)


def _without_creds(folder: Path) -> Path:
    path = folder / "creds.json"
    path.unlink()
    return path


def _numbers(folder: Path) -> None:
    large = "9" * 4_000
    text = json.dumps(creds(nextPreKeyId=0, registrationId=1)).replace(
        '"nextPreKeyId": 0', f'"nextPreKeyId": {large}'
    )
    (folder / "creds.json").write_text(text.replace('"registrationId": 1', f'"registrationId": {large}'))
    write_key(folder, f"pre-key-{'9' * 200}.json", OLD)


def _names(folder: Path) -> None:
    for name in (
        b"session-\xff\xfe.0.json",
        b"pre-key-\xff.json",
        b"sender-key-\x1b[2J.json",
        b"-rf",
        b"new\nline.json",
    ):
        write_key(folder, name, OLD)


def _own_key(folder: Path) -> None:
    """A sender-key whose content has to tell whether it is the bot's own."""
    write_key(folder, "sender-key-1203630@g.us--1--0.json", OLD, "[" * 100_000)
    write_key(folder, "sender-key-1203631@g.us--1--0.json", OLD, b"[" + b"{}," * 340_000 + b"{}]")


def _times(folder: Path) -> None:
    for number, seconds in enumerate((1 << 33, 253_402_300_800 + 86_400, -(1 << 31))):
        path = write_key(folder, f"session-{number}.0.json")
        try:
            os.utime(path, (seconds, seconds))
        except OSError:
            path.unlink()
    os.utime(folder / "creds.json", (0, 0))


def _no_permission(folder: Path) -> None:
    folder.chmod(0)


def _own_is_a_link(folder: Path) -> None:
    (folder / OWN).symlink_to("/etc")


POISONS: dict[str, Callable[[Path], object]] = {
    "nested-stage": lambda folder: nest(folder / OWN / "restore", DEEP),
    "nested-reset": lambda folder: nest(folder / OWN / "resets" / OLD_RUN, DEEP),
    "nested-run": _nested_run,
    "journal-1e999": _journal,
    "journal-64-mb": _large_journal,
    "journal-sparse": lambda folder: sparse(own_file(folder, "restore.json", '{"version": 1}')),
    "journal-reset": _reset_journal,
    "journal-deep": lambda folder: own_file(folder, "restore.json", "[" * 100_000),
    "key-of-5-million-objects": lambda folder: write_key(
        folder, "app-state-sync-version-x.json", OLD, b"[" + b"{}," * 5_592_000 + b"{}]"
    ),
    "key-of-5-million-lists-of-a-wide-text": lambda folder: write_key(
        folder, "app-state-sync-version-y.json", OLD, ('["😀' + "a" * 15_000_000 + '"]').encode()
    ),
    "key-sparse": lambda folder: sparse(write_key(folder, "session-1.0.json", OLD)),
    "creds-deep": lambda folder: write_key(folder, "creds.json", OLD, "[" * 100_000),
    "creds-of-4-mb": lambda folder: write_key(folder, "creds.json", OLD, b"[" + b"{}," * 1_390_000 + b"{}]"),
    "creds-sparse": lambda folder: sparse(folder / "creds.json"),
    "creds-fifo": lambda folder: os.mkfifo(_without_creds(folder)),
    "creds-dangling": lambda folder: _without_creds(folder).symlink_to("/nowhere/at/all"),
    "creds-folder": lambda folder: _without_creds(folder).mkdir(),
    "creds-numbers": _numbers,
    "own-key": _own_key,
    "own-folder-link": _own_is_a_link,
    "names": _names,
    "times": _times,
    "no-permission": _no_permission,
    "lock-folder": lambda folder: (folder / ".cleanup.lock").mkdir(),
    "lock-fifo": lambda folder: os.mkfifo(folder / ".cleanup.lock"),
    "lock-1e999": lambda folder: write_key(
        folder, ".cleanup.lock", content='{"timestamp": 1e999, "pid": 1e999}'
    ),
}


def poisoned(root: Path, kind: str) -> Path:
    """Make a company that was well, and was then spoilt."""
    folder = company_folder(root, f"poison-{kind}", {"session-491701.0.json": OLD})
    POISONS[kind](folder)
    return folder
