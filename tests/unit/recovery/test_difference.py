"""What differs between two states of a folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from baileys_tools.recovery.rules.difference import KindDifference, Side, difference
from baileys_tools.sessions.rules.keyfiles import Kind

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def side(files: dict[str, str], creds: object = None, login: str = "a") -> Side:
    content = json.dumps(creds).encode() if creds is not None else b""
    return Side(1, NOON, files, login, content)


def test_each_kind_is_told_by_itself() -> None:
    before = side(
        {"pre-key-1.json": "a", "pre-key-2.json": "b", "session-491701234567.0.json": "c", "x": "d"}
    )
    after = side({"pre-key-2.json": "b", "pre-key-3.json": "e", "session-491701234567.0.json": "f", "x": "d"})
    assert difference(before, after).kinds == (
        KindDifference(Kind.PRE_KEY, ("pre-key-1.json",), ("pre-key-3.json",), (), 1),
        KindDifference(Kind.SESSION, (), (), ("session-491701234567.0.json",), 0),
        KindDifference(Kind.UNKNOWN, (), (), (), 1),
    )


def test_fields_of_creds_are_named_and_only_counters_have_values() -> None:
    secret = {"noiseKey": {"private": "s3cret"}, "nextPreKeyId": 31, "me": {"id": "1"}}
    other = {"noiseKey": {"private": "0ther"}, "nextPreKeyId": 61, "me": {"id": "1"}, "routingInfo": "r"}
    found = difference(side({}, secret), side({}, other)).creds
    assert found == ("nextPreKeyId 31 -> 61", "noiseKey", "routingInfo")


def test_creds_that_cannot_be_read_are_compared_as_a_file_alone() -> None:
    torn = Side(1, NOON, {"creds.json": "x"}, "", b'{"a')
    found = difference(torn, side({"creds.json": "y"}, {"a": 1}))
    assert (found.creds, found.same_login) == ((), None)
    assert found.kinds == (KindDifference(Kind.CREDS, (), (), ("creds.json",), 0),)


def test_another_login_is_told() -> None:
    assert difference(side({}), side({}, login="b")).same_login is False
    assert difference(side({}), side({})).same_login is True
