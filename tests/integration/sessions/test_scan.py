"""What a look at a session folder asks of the disk."""

import os
from pathlib import Path

import pytest

from baileys_tools.sessions import scan
from baileys_tools.sessions.rules.creds import Creds


def test_creds_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second reading could find what the bot is writing by then, and what was told by the first would be of other
    creds."""
    (tmp_path / "creds.json").write_text('{"noiseKey": {}, "registrationId": 7}')
    read, readings = scan.read_creds_file, []

    def noted(folder: int, limit: int) -> bytes:
        readings.append(limit)
        return read(folder, limit)

    monkeypatch.setattr(scan, "read_creds_file", noted)
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        facts = scan.scan_folder(folder)
    finally:
        os.close(folder)
    assert isinstance(facts.creds, Creds)
    assert len(readings) == 1
