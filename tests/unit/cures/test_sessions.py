"""Which sessions are broken, and what goes with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from baileys_tools.cures.rules.asides import AsideReason, may_be_in_memory
from baileys_tools.cures.rules.sessions import (
    SessionFile,
    broken_sessions,
    parse_session,
    plan_renewal,
    read_session,
)
from baileys_tools.cures.rules.unreadable import Device, Unreadable
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.folder import FolderFacts, WholeKey
from baileys_tools.sessions.rules.keyfiles import sort_by_kind

PN, LID = "4917012345678", "270996591579169"
BY_NUMBER, BY_LID = f"session-{PN}.0.json", f"session-{LID}_1.0.json"
OTHER_DEVICE, OTHER = f"session-{LID}_1.12.json", "session-4917099999999.0.json"
MINUTE_NS = 60 * 1_000_000_000


def record(*closed: int, used: int = 1_000, created: int = 500) -> bytes:
    entries = {
        f"key{number}": {"indexInfo": {"closed": one, "used": used, "created": created}}
        for number, one in enumerate(closed)
    }
    return json.dumps({"_sessions": entries, "version": "v1"}).encode()


def facts(*names: str, written_ns: int = 0) -> FolderFacts:
    return FolderFacts(
        sort_by_kind(names), {name: WholeKey(1, written_ns) for name in names}, CredsState.MISSING
    )


def twin(user: str) -> str | None:
    return {PN: LID, LID: PN}.get(user)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (record(-1), SessionFile(None, 1, 1_000)),
        (record(5, -1), SessionFile(None, 2, 1_000)),
        (record(-1, used=1, created=9), SessionFile(None, 1, 9)),
        (record(5, 6), SessionFile(AsideReason.NO_OPEN_SESSION, 2, 1_000)),
        (record(), SessionFile(AsideReason.NO_SESSION)),
        (b"{}", SessionFile(AsideReason.NO_SESSION)),
        (b"", SessionFile(AsideReason.TORN)),
        (b'{"_sessions":{"B', SessionFile(AsideReason.TORN)),
        (b"\0" * 200, SessionFile(AsideReason.TORN)),
        (b"\xef\xbb\xbf" + record(-1), SessionFile(AsideReason.TORN)),
        (b"null", SessionFile(AsideReason.TORN)),
        # What is of another form than libsignal's is not judged.
        (b'["a list"]', SessionFile()),
        (b'{"_sessions":{"a":{"indexInfo":7}}}', SessionFile(sessions=1)),
        (b'{"_sessions":{"a":{"indexInfo":{"closed":-1,"used":"x"}}}}', SessionFile(None, 1)),
        (json.dumps({"type": "Buffer", "data": "e30="}).encode(), SessionFile(AsideReason.NO_SESSION)),
        (json.dumps({"type": "Buffer", "data": "AQID"}).encode(), SessionFile()),
    ],
)
def test_what_a_session_file_holds(content: bytes, expected: SessionFile) -> None:
    assert read_session(content) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (BY_NUMBER, (PN, "", 0)),
        (BY_LID, (LID, "1", 0)),
        (f"session-{PN}_128.99.json", (PN, "128", 99)),
        (f"session-{LID}_129.99.json", (LID, "129", 99)),
        (f"session-{LID}.4.json", (LID, "", 4)),
    ],
)
def test_whose_a_session_is(name: str, expected: tuple[str, str, int]) -> None:
    assert parse_session(name) == expected


def broken(evidence: dict[Device, Unreadable], **held: SessionFile) -> dict[str, AsideReason]:
    names = [BY_NUMBER, BY_LID, OTHER_DEVICE, OTHER]
    files = {name: SessionFile(None, 1, 1_000_000) for name in names} | {
        globals()[name]: one for name, one in held.items()
    }
    return broken_sessions(names, files.__getitem__, evidence, twin)


def test_nothing_is_broken_where_nothing_speaks_against_it() -> None:
    assert broken({}) == {}


def test_what_no_bot_can_read_is_broken() -> None:
    found = broken({}, OTHER=SessionFile(AsideReason.TORN))
    assert found == {OTHER: AsideReason.TORN}


@pytest.mark.parametrize("user", [PN, LID])
def test_the_log_names_a_contact_by_either_address(user: str) -> None:
    found = broken({Device(user, 0): Unreadable(3, 2_000.0)})
    assert found == {BY_NUMBER: AsideReason.UNREADABLE, BY_LID: AsideReason.UNREADABLE}


def test_only_the_device_that_the_log_names_is_broken() -> None:
    assert list(broken({Device(LID, 12): Unreadable(1, 2_000.0)})) == [OTHER_DEVICE]


def test_what_has_been_read_since_is_over() -> None:
    assert broken({Device(LID, 0): Unreadable(9, 999.0)}) == {}
    # Its twin was read with, as the contact is one.
    held = SessionFile(None, 1, 5_000_000)
    assert broken({Device(LID, 0): Unreadable(9, 2_000.0)}, BY_NUMBER=held) == {}


def test_a_line_without_a_time_breaks_nothing() -> None:
    """It may be of last month, and the session healed since."""
    assert broken({Device(PN, 0): Unreadable(9, None)}) == {}


def test_whom_the_folder_does_not_know_is_left_out() -> None:
    assert broken({Device("15550001111", 0): Unreadable(5, 2_000.0)}) == {}


def test_a_session_goes_with_its_twin_and_that_goes_first() -> None:
    plan = plan_renewal(facts(BY_NUMBER, BY_LID, OTHER_DEVICE), {BY_LID: AsideReason.UNREADABLE}, twin)
    (aside,) = plan.asides
    assert aside.keys == (BY_NUMBER, BY_LID)
    assert aside.about == f"{LID}_1.0"
    assert plan.cost.contacts == 1, "one device, however many files"


def test_at_most_so_many_go_and_the_rest_is_counted() -> None:
    ill = {OTHER: AsideReason.TORN, BY_LID: AsideReason.TORN, OTHER_DEVICE: AsideReason.TORN}
    plan = plan_renewal(facts(BY_NUMBER, BY_LID, OTHER_DEVICE, OTHER), ill, twin, most=1)
    assert [aside.keys for aside in plan.asides] == [(OTHER,)]
    assert plan.left == 2


def test_no_more_is_done_than_was_agreed_to() -> None:
    names = (BY_NUMBER, OTHER)
    first = plan_renewal(facts(*names), {OTHER: AsideReason.TORN}, lambda user: None)
    later = plan_renewal(facts(*names), dict.fromkeys(names, AsideReason.TORN), lambda user: None)
    assert [aside.keys for aside in later.only(first).asides] == [(OTHER,)]


@pytest.mark.parametrize(
    ("why", "age", "expected"),
    [
        (AsideReason.TORN, 10, False),  # what cannot be read is not kept in memory
        (AsideReason.TORN, 4, True),
        (AsideReason.UNREADABLE, 600, True),  # a failed reading leaves no trace on the disk
    ],
)
def test_what_may_be_in_the_memory_of_a_bot(why: AsideReason, age: int, expected: bool) -> None:
    now = 1_000 * MINUTE_NS
    plan = plan_renewal(facts(OTHER, written_ns=now - age * MINUTE_NS), {OTHER: why}, twin)
    assert bool(may_be_in_memory(plan.asides, now)) is expected


def test_two_thousand_sessions_cost_no_square() -> None:
    """Each name is looked at a few times, not once for every other."""
    names = [f"session-{number}.0.json" for number in range(10_000_000, 10_002_000)]
    calls: list[Any] = []

    def no_twin(user: str) -> None:
        calls.append(user)

    ill = broken_sessions(names, lambda name: SessionFile(AsideReason.TORN), {}, no_twin)
    plan = plan_renewal(facts(*names), ill, no_twin)
    assert len(plan.asides) == 2_000
    assert len(calls) <= 4_000
