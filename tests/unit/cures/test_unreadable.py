"""Whose messages a log calls unreadable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from baileys_tools.bots.bot_log.records import Wanted, dated
from baileys_tools.cures.log_evidence import FAILED, UNTOLD, failed_session
from baileys_tools.cures.rules.unreadable import Device, Unreadable, is_over, joined, sender_in
from tests.log_lines import BEGIN, pino

PN, LID = "4917012345678", "270996591579169"
NO_MATCH = {"type": "SessionError", "message": "No matching sessions found for message", "stack": "x"}


def line(key: dict[str, Any], err: dict[str, Any] | None = None, **more: Any) -> bytes:
    return pino("failed to decrypt message", key=key, err=err or NO_MATCH, **more).encode()


def failures_in(lines: bytes) -> list[tuple[Device, float | None]]:
    records = dated(Wanted(FAILED).in_lines(lines, BEGIN.timestamp() + 60), failed_session)
    return [(one.told, one.at) for one in records]


@pytest.mark.parametrize(
    ("key", "more", "expected"),
    [
        ({"remoteJid": f"{PN}@s.whatsapp.net", "fromMe": False}, {}, Device(PN, 0)),
        ({"remoteJid": f"{PN}:12@s.whatsapp.net", "fromMe": False}, {}, Device(PN, 12)),
        ({"remoteJid": f"{LID}@lid", "remoteJidAlt": f"{PN}@s.whatsapp.net"}, {}, Device(LID, 0)),
        ({"remoteJid": "1203634@g.us", "participant": f"{LID}:3@lid"}, {}, Device(LID, 3)),
        # The account's own phone wrote to somebody: that one has nothing to do with it.
        ({"remoteJid": f"{PN}@s.whatsapp.net", "fromMe": True}, {}, None),
        ({"remoteJid": f"{PN}@s.whatsapp.net", "fromMe": True}, {"author": f"{LID}@lid"}, Device(LID, 0)),
        ({"remoteJid": "1203634@g.us"}, {}, None),
        ({"remoteJid": f"{PN}/../x@s.whatsapp.net"}, {}, None),
        ({"remoteJid": "status@broadcast", "participant": f"{PN}@s.whatsapp.net"}, {}, Device(PN, 0)),
    ],
)
def test_whose_message_it_was(key: dict[str, Any], more: dict[str, Any], expected: Device | None) -> None:
    assert sender_in(line(key, **more).decode()) == expected


@pytest.mark.parametrize(
    ("message", "counts"),
    [
        ("No matching sessions found for message", True),
        ("Bad MAC", True),
        # Of these no session is to blame, or there is none.
        ("No session record", False),
        ("No session found to decrypt message", False),
        ("Invalid PreKey ID", False),
        ("Received message with old counter 3 1", False),
    ],
)
def test_which_failures_speak_of_a_session(message: str, counts: bool) -> None:
    key = {"remoteJid": f"{PN}@s.whatsapp.net", "fromMe": False}
    err = {"type": "SessionError", "message": message, "stack": "x"}
    found = failures_in(line(key, err) + b"\n")
    assert found == ([(Device(PN, 0), BEGIN.timestamp())] if counts else [])


def test_lines_around_it_and_a_torn_end_tell_nothing() -> None:
    one = line({"remoteJid": f"{PN}@s.whatsapp.net", "fromMe": False})
    other = line({"remoteJid": f"{LID}@lid", "fromMe": False})
    noise = b"failed to decrypt message\n" + json.dumps({"remoteJid": "1@lid"}).encode() + b"\n"
    found = failures_in(noise + one + b"\n" + noise + other + b"\n" + one[:60])
    named = [Device(PN, 0), Device(LID, 0)]
    assert [device for device, _ in found] == [UNTOLD, named[0], UNTOLD, named[1]]


def test_messages_are_counted_and_the_last_is_kept() -> None:
    one, other = Device(PN, 0), Device(LID, 0)
    found = joined([(one, 5.0), (other, None), (one, 3.0), (one, None)])
    assert found == {one: Unreadable(3, 5.0), other: Unreadable(1, None)}


@pytest.mark.parametrize(
    ("last", "read_ms", "over"),
    [(5.0, 5_001, True), (5.0, 5_000, False), (5.0, None, False), (None, 9_000, True), (None, None, True)],
)
def test_what_is_over(last: float | None, read_ms: int | None, over: bool) -> None:
    assert is_over(Unreadable(1, last), read_ms) is over
