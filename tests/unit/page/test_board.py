"""What the page shows, and what it sends of a change: a client that follows always has the same as the board."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baileys_tools.page.passes import last_pass, late
from baileys_tools.page.rules.board import MOST_OF_EVENT, Board, event
from baileys_tools.page.show.rows import key_of
from baileys_tools.state.runs import Run


def read(parts: list[bytes]) -> list[tuple[str, Any]]:
    """What a browser reads from a stream, by the grammar of server-sent events."""
    found = []
    for block in b"".join(parts).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
        if "data" in fields:
            found.append((fields.get("event", "message"), json.loads(fields["data"])))
    return found


class Follower:
    """A page as fleet.js is one, in few words."""

    def __init__(self) -> None:
        self.start, self.version = "", -1
        self.rows: dict[str, Any] = {}
        self.meta: dict[str, Any] = {}

    def hear(self, board: Board) -> None:
        arriving: set[str] | None = None
        for _, told in read(list(board.changes(self.start, self.version))):
            arriving = set() if told.get("whole") else arriving
            self.meta = told.get("meta", self.meta)
            for row in told["rows"]:
                self.rows[row[0]] = row
                if arriving is not None:
                    arriving.add(row[0])
            for key in told.get("gone", ()):
                self.rows.pop(key, None)
            if arriving is not None and told["version"] >= 0:
                self.rows = {key: row for key, row in self.rows.items() if key in arriving}
            self.start, self.version = told["start"], told["version"]


fleets = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3)), min_size=1, max_size=8)


@settings(max_examples=40)
@given(fleets, st.lists(st.booleans(), min_size=8, max_size=8))
def test_whoever_follows_has_what_the_board_has(worlds: list[dict[str, int]], hears: list[bool]) -> None:
    board, follower = Board("one"), Follower()
    for world, listens in zip(worlds, hears, strict=False):
        board.take([[key, value, "x"] for key, value in world.items()], {"n": len(world)})
        if listens:
            follower.hear(board)
    follower.hear(board)
    assert follower.rows == {key: [key, value, "x"] for key, value in worlds[-1].items()}
    assert follower.meta == {"n": len(worlds[-1])}
    assert follower.version == board.version


def test_what_is_the_same_is_no_news() -> None:
    board = Board("one")
    assert board.take([["a", 1]], {})
    assert not board.take([["a", 1]], {})
    assert board.version == 1
    assert board.say(passed=5)
    assert not board.say(passed=5)


def test_one_change_in_a_thousand_is_one_row() -> None:
    board = Board("one")
    board.take([[str(number), "x" * 200] for number in range(1_000)], {})
    version = board.version
    board.take([[str(number), "y" if number == 7 else "x" * 200] for number in range(1_000)], {})
    ((_, told),) = read(list(board.changes("one", version)))
    assert told["rows"] == [["7", "y"]]


def test_a_change_of_all_goes_out_in_parts_of_which_the_last_counts() -> None:
    board = Board("one")
    board.take([[str(number), "x" * 200] for number in range(1_000)], {})
    parts = list(board.changes("other", 99))
    assert len(parts) > 10
    assert max(map(len, parts)) < MOST_OF_EVENT + 1_000 < 20_000
    told = [document for _, document in read(parts)]
    assert [one["version"] for one in told] == [-1] * (len(told) - 1) + [1]
    assert sum(len(one["rows"]) for one in told) == 1_000


def test_what_went_too_long_ago_is_told_whole() -> None:
    board = Board("one")
    board.take([["a", 1], ["b", 1]], {})
    follower = Follower()
    follower.hear(board)
    for number in range(2_000):
        board.take([["a", 1], [f"n{number}", 1]], {})
    follower.hear(board)
    assert set(follower.rows) == {"a", "n1999"}


@settings(max_examples=30)
@given(st.text())
def test_no_text_begins_another_event(text: str) -> None:
    assert read([event("rows", {"text": text})]) == [("rows", {"text": text})]


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=80) | st.binary(min_size=1, max_size=80).map(os.fsdecode))
def test_a_key_is_a_plain_word(company: str) -> None:
    key = key_of(company)
    assert key.isascii() and key.isprintable() and not set(key) & set("/?#% \\\"'<>&")
    assert key not in (".", "..")
    assert "0123456789" not in key


@pytest.mark.parametrize(
    ("company", "plain"),
    [
        ("1001", True),
        ("acme.shop", True),
        ("1001@a", True),
        ("4917012345678", False),
        ("..", False),
        ("a b", False),
        ("\u0645\u062a\u062c\u0631", False),
        ("-x", False),
    ],
)
def test_what_is_plain_is_its_own_key(company: str, plain: bool) -> None:
    assert (key_of(company) == company) is plain


NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "minutes", "says"),
    [
        ("* * * * *", 1, ""),
        ("* * * * *", 4, ""),
        ("* * * * *", 6, "has stopped"),
        ("*/15 * * * *", 14, ""),
        ("*/15 * * * *", 29, "has stopped"),
        ("off", 60, ""),
        ("off", 2_000, "for a day"),
        ("* * * * *", None, "never run"),
    ],
)
def test_passes_are_late_by_their_own_schedule(schedule: str, minutes: int | None, says: str) -> None:
    passed = None if minutes is None else int((NOW - timedelta(minutes=minutes)).timestamp())
    said = late(schedule, passed, NOW)
    assert says in said if says else said == ""


def test_a_pass_that_failed_is_none() -> None:
    def run(command: str, code: int, minutes: int) -> Run:
        at = NOW - timedelta(minutes=minutes)
        return Run(str(minutes), command, at, at, code, False, {}, {})

    runs = [
        run("monitor-once", 5, 9),
        run("monitor-once", 1, 3),
        run("monitor-once", 75, 2),
        run("backup", 0, 1),
    ]
    assert last_pass(runs) == int((NOW - timedelta(minutes=9)).timestamp())
    assert last_pass(runs[1:]) is None
