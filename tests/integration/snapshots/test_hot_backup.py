"""A bot that writes without a pause, and a backup at the same time: nothing torn is ever stored as good."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from baileys_tools.sessions import reading
from baileys_tools.sessions.reading import TooLarge, UnfitFolder, read_session
from tests.support import company_folder, require_tool, write_key

WRITER = Path(__file__).parents[1] / "races/hot_writer.mjs"
FILES = 30


@dataclass
class Tally:
    """What a reader took for good (`reads`), what of that was not whole, and folders given up on."""

    reads: int = 0
    torn: int = 0
    unfit: int = 0
    left_out: int = 0


@contextmanager
def hot_bot(root: Path) -> Iterator[Path]:
    """A session folder whose files are rewritten all the time."""
    names = [f"session-{number}.0.json" for number in range(FILES)]
    folder = company_folder(root, keys=dict.fromkeys(names, timedelta(0)))
    bot = subprocess.Popen(
        [require_tool("node"), WRITER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert bot.stdin is not None
    assert bot.stdout is not None
    assert bot.stdout.readline() == "writing\n"
    time.sleep(0.3)  # until each file has been written once
    try:
        yield folder
    finally:
        bot.stdin.close()
        writes = int(bot.stdout.readline())
        assert bot.wait(timeout=30) == 0
        assert writes > FILES


def is_whole(content: bytes) -> bool:
    """Whether these bytes are what one write of the bot left."""
    try:
        said = json.loads(content)
        return bool(len(said["padding"]) == said["length"])
    except (ValueError, KeyError, TypeError):
        return False


def read_plainly(folder: Path, wanted: int, seconds: float) -> Tally:
    """As `cp` does."""
    tally = Tally()
    deadline = time.monotonic() + seconds
    while tally.reads < wanted and time.monotonic() < deadline:
        for path in folder.glob("*.json"):
            tally.reads += 1
            tally.torn += not is_whole(path.read_bytes())
    return tally


def read_carefully(folder: Path, wanted: int, seconds: float) -> Tally:
    tally = Tally()
    deadline = time.monotonic() + seconds
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while tally.reads < wanted and time.monotonic() < deadline:
            try:
                read = read_session(handle)
            except UnfitFolder:
                tally.unfit += 1
                continue
            tally.reads += len(read.files)
            tally.torn += sum(not is_whole(file.content) for file in read.files)
            tally.left_out += len(read.left_out)
    finally:
        os.close(handle)
    return tally


def test_plain_reading_tears_in_this_harness(tmp_path):
    with hot_bot(tmp_path) as folder:
        assert read_plainly(folder, 20_000, 20).torn > 0


def test_no_torn_file_is_stored_as_good(tmp_path):
    with hot_bot(tmp_path) as folder:
        tally = read_carefully(folder, 2_000, 30)
    assert tally.torn == 0
    assert tally.reads > 200


@pytest.mark.faults
def test_no_torn_file_among_a_hundred_thousand(tmp_path):
    with hot_bot(tmp_path) as folder:
        tally = read_carefully(folder, 100_000, 550)
    assert tally.torn == 0
    assert tally.reads >= 100_000
    assert tally.left_out < tally.reads / 100


def test_a_folder_whose_creds_stay_empty_is_given_up_on(tmp_path):
    folder = company_folder(tmp_path)
    (folder / "creds.json").write_bytes(b"")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(UnfitFolder, match="empty"):
        read_session(handle)
    os.close(handle)


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_BYTES"])
def test_creds_count_against_the_limits_of_a_snapshot(tmp_path, monkeypatch, limit):
    folder = company_folder(tmp_path, "1001", {"session-1.0.json": timedelta(hours=1)})
    write_key(folder, "session-2.0.json", timedelta(hours=1), json.dumps("x" * 200))
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        read = read_session(handle)
        whole = len(read.files) if limit == "MOST_FILES" else sum(file.entry.size for file in read.files)
        monkeypatch.setattr(reading, limit, whole)
        assert len(read_session(handle).files) == 3
        monkeypatch.setattr(reading, limit, whole - 1)
        with pytest.raises(TooLarge):
            read_session(handle)
    finally:
        os.close(handle)
