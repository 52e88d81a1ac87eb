"""Which quarantined files come back: never over a newer file, never a memory beside a newer own key."""

from __future__ import annotations

import pytest

from baileys_tools.sessions.rules.creds import Address, Creds, CredsState
from baileys_tools.sessions.rules.undo import UndoReason, WayBack, plan_undo, way_back

PAIRED = Creds(Address("919585510685", 17), Address("270996591579169", 17), None, None, True)
GROUP = "120363041234567890@g.us"
MEMORY = f"sender-key-memory-{GROUP}.json"
OWN = f"sender-key-{GROUP}--919585510685--17.json"
OWN_LID = f"sender-key-{GROUP}--270996591579169_1--17.json"
OTHER_MEMORY = "sender-key-memory-120363049999999999@g.us.json"
PEER = f"sender-key-{GROUP}--4917000000001--0.json"
SESSION = "session-4917000000001.0.json"
BACK, NEWER, MOVED_ON = UndoReason.BACK, UndoReason.NEWER_STANDS, UndoReason.UNIT_MOVED_ON
KEY_GONE = UndoReason.KEY_GONE


@pytest.mark.parametrize(
    ("quarantined", "written_since", "expected"),
    [
        ({SESSION, "pre-key-1.json", PEER}, set(), {SESSION: BACK, "pre-key-1.json": BACK, PEER: BACK}),
        ({SESSION, "pre-key-1.json"}, {SESSION}, {SESSION: NEWER, "pre-key-1.json": BACK}),
        ({MEMORY, OWN, OWN_LID}, {PEER}, {MEMORY: BACK, OWN: BACK, OWN_LID: BACK}),
        ({MEMORY, OWN}, {OWN}, {MEMORY: MOVED_ON, OWN: NEWER}),
        ({MEMORY, OWN}, {OWN, MEMORY}, {MEMORY: NEWER, OWN: NEWER}),
        ({MEMORY, OWN}, {MEMORY}, {MEMORY: NEWER, OWN: MOVED_ON}),
        ({MEMORY, OWN}, {OWN_LID}, {MEMORY: MOVED_ON, OWN: MOVED_ON}),
        ({MEMORY}, {OWN}, {MEMORY: MOVED_ON}),
        ({OWN}, {MEMORY}, {OWN: MOVED_ON}),
        ({PEER}, {OWN, MEMORY}, {PEER: BACK}),
        ({MEMORY}, {f"sender-key-{GROUP}--919585510685--0.json"}, {MEMORY: KEY_GONE}),
        ({MEMORY}, {"sender-key-status@broadcast--919585510685--17.json"}, {MEMORY: KEY_GONE}),
        (set(), {SESSION}, {}),
    ],
)
def test_what_comes_back(
    quarantined: set[str], written_since: set[str], expected: dict[str, UndoReason]
) -> None:
    live = {"creds.json", "session-4917000000009.0.json"} | written_since
    assert plan_undo(quarantined, live, written_since | {"creds.json"}, PAIRED, {}, {}) == expected


@pytest.mark.parametrize("live", [{OWN}, {OWN_LID}, {OWN, OWN_LID}])
def test_an_undo_that_was_interrupted_can_be_ended(live: set[str]) -> None:
    rest = {MEMORY, OWN, OWN_LID} - live
    assert plan_undo(rest, live, set(), PAIRED, {}, {}) == dict.fromkeys(rest, BACK)


def test_a_memory_that_left_alone_comes_back_beside_its_key_and_not_without() -> None:
    """A cleanup removes it a run before the key: undo of the first run alone must not undo half of both."""

    def undone(live: set[str], *stood_alone: str) -> UndoReason:
        return plan_undo({MEMORY}, live, set(), PAIRED, {}, {}, stood_alone)[MEMORY]

    assert undone({OWN}) is undone({OWN_LID, PEER}) is BACK
    assert undone({PEER}) is undone(set()) is undone({PEER}, OTHER_MEMORY) is KEY_GONE
    assert plan_undo({MEMORY, OWN}, set(), set(), PAIRED, {}, {})[MEMORY] is BACK
    # It stood alone before.
    assert undone({PEER}, MEMORY) is undone(set(), MEMORY) is BACK
    # Whose key it is, nobody knows.
    assert plan_undo({MEMORY}, {OWN}, set(), CredsState.EMPTY, {}, {}) == {MEMORY: KEY_GONE}


def test_a_companion_of_a_memory_comes_and_stays_with_it() -> None:
    both = {MEMORY, f"{MEMORY}.bak"}
    assert plan_undo(both, set(), set(), PAIRED, {}, {}) == dict.fromkeys(both, KEY_GONE)
    assert plan_undo(both, set(), set(), PAIRED, {}, {}, {MEMORY}) == dict.fromkeys(both, BACK)


def test_the_memory_comes_back_after_the_keys_that_it_speaks_of() -> None:
    assert list(plan_undo({MEMORY, OWN, OWN_LID, SESSION}, set(), set(), PAIRED, {}, {}))[-1] == MEMORY


def test_what_was_said_since_is_what_a_whole_folder_costs_that_comes_back() -> None:
    since = {SESSION, f"{SESSION}.bak", PEER, OWN, MEMORY, "pre-key-9.json", "creds.json"}
    assert way_back(since, PAIRED, PAIRED, {}) == WayBack(1, 1, 1)
    assert way_back({"creds.json"}, PAIRED, PAIRED, {}) == WayBack()
    # What another pairing said, this one knows nothing of.
    other = PAIRED._replace(me=Address("919585510685", 18))
    assert way_back(since, other, PAIRED, {}) == way_back(since, CredsState.EMPTY, PAIRED, {}) == WayBack()
    assert way_back(since, PAIRED._replace(registration_id=7), PAIRED, {}) == WayBack()


BY_LID, LIDS = "session-100000000000001_1.0.json", {"4917000000001": "100000000000001"}


@pytest.mark.parametrize(
    ("quarantined", "live", "lids", "expected"),
    [
        ({SESSION}, {BY_LID}, LIDS, {SESSION: UndoReason.LID_TWIN}),
        ({SESSION}, {BY_LID}, {}, {SESSION: BACK}),  # no mapping: it is looked for by number
        ({SESSION}, set(), LIDS, {SESSION: BACK}),  # it is moved to where none stands
        ({SESSION}, {"session-100000000000001_1.12.json"}, LIDS, {SESSION: BACK}),  # another device
        ({SESSION}, {"session-100000000000002_1.0.json"}, LIDS, {SESSION: BACK}),  # another contact
        # both went in one run: as it was
        ({SESSION, BY_LID}, set(), LIDS, {SESSION: BACK, BY_LID: BACK}),
        ({BY_LID, "pre-key-1.json"}, {SESSION}, LIDS, {BY_LID: BACK, "pre-key-1.json": BACK}),
    ],
)
def test_a_session_by_number_stays_while_its_contact_has_one_by_lid(
    quarantined: set[str], live: set[str], lids: dict[str, str], expected: dict[str, UndoReason]
) -> None:
    for since in (set(), live):
        assert plan_undo(quarantined, live, since, PAIRED, {}, lids) == expected


@pytest.mark.parametrize("creds", [CredsState.EMPTY, Creds(None, None, None, None, False)])
def test_in_doubt_any_newer_sender_key_of_the_group_may_be_the_bots(creds: Creds | CredsState) -> None:
    assert plan_undo({MEMORY}, {PEER}, {PEER}, creds, {}, {}) == {MEMORY: MOVED_ON}


def test_the_content_settles_the_doubt() -> None:
    nobody = Creds(None, None, None, None, False)
    assert plan_undo({MEMORY, OWN}, {PEER}, {PEER}, nobody, {PEER: False}, {}) == {MEMORY: BACK, OWN: BACK}
    assert plan_undo({MEMORY}, {PEER}, {PEER}, nobody, {PEER: True}, {}) == {MEMORY: MOVED_ON}


@pytest.mark.parametrize("name", [SESSION, PEER, f"{SESSION}.bak"])
def test_what_a_later_run_took_a_newer_one_of_stays_where_it_is(name: str) -> None:
    """The contact has gone on from that: an older session beside a torn or set aside one would mislead the bot."""
    assert plan_undo({name}, {"creds.json"}, set(), PAIRED, {}, {}, {name}, {name}) == {
        name: UndoReason.TAKEN_LATER
    }
    # It is there, it never was another, or nobody knows when that run was.
    assert plan_undo({name}, {name}, set(), PAIRED, {}, {}, {name}, {name}) == {name: BACK}
    assert plan_undo({name}, {"creds.json"}, set(), PAIRED, {}, {}, {"pre-key-1.json"}) == {name: BACK}
    assert plan_undo({name}, {"creds.json"}, set(), PAIRED, {}, {}, {name}) == {name: BACK}
    pre_key = {"pre-key-1.json"}
    assert plan_undo(pre_key, set(), set(), PAIRED, {}, {}, pre_key, pre_key) == {"pre-key-1.json": BACK}
