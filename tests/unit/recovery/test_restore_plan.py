"""What a restore decides, file by file: tables for each rule, and what holds for any folder and snapshot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.recovery.rules.restore import plan_restore
from baileys_tools.sessions.rules.creds import Creds, CredsState, fitted_creds, parse_creds
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.keyfiles import PROTECTED, Kind, kind_of
from baileys_tools.sessions.rules.restore_plan import (
    Action,
    Choice,
    LiveFile,
    LiveFolder,
    Mode,
    Objection,
    RestorePlan,
    RestoreReason,
    SnapshotFiles,
    Traffic,
)
from baileys_tools.sessions.rules.snapshot import Account, Entry, read_account
from baileys_tools.sessions.staging import SeenFile
from tests.support import creds as creds_document

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
TAKEN = NOW - timedelta(hours=1)
THEN = TAKEN - timedelta(hours=2)
SINCE = NOW - timedelta(minutes=30)

GROUP = "120363001234567890@g.us"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
OWN_KEY_BY_LID = f"sender-key-{GROUP}--270996591579169_1--17.json"
MEMORY = f"sender-key-memory-{GROUP}.json"
PEER_KEY = f"sender-key-{GROUP}--447700900123--0.json"
SESSION, OTHER_SESSION = "session-447700900123.0.json", "session-447700900124.0.json"
MAPPING = "lid-mapping-447700900123.json"
COMES_BACK = [
    MAPPING,
    "app-state-sync-key-AAAAAB____.json",
    "app-state-sync-version-regular.json",
    "identity-key-447700900123.0.json",
    "device-list-447700900123.json",
    "tctoken-__index.json",
    PEER_KEY,
    "pre-key-7.json",
]


def ns(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000_000


def file(moment: datetime = THEN, content: str = "{}", *, whole: bool = True) -> LiveFile:
    stat = SeenFile(len(content), ns(moment), 1)
    return LiveFile(stat, hashlib.sha256(content.encode()).hexdigest(), whole)


TORN = file(THEN, "", whole=False)
TORN_LATELY = file(SINCE, "", whole=False)


def account(**changes: Any) -> tuple[Creds, Account]:
    content = json.dumps(creds_document(**changes)).encode()
    facts, known = parse_creds(content), read_account(content)
    assert isinstance(facts, Creds)
    assert not isinstance(known, CredsState)
    return facts, known[0]


def snapshot(*names: str, moment: datetime = THEN, **creds: Any) -> SnapshotFiles:
    sha256 = hashlib.sha256(b"{}").hexdigest()
    facts, known = account(**creds)
    return SnapshotFiles(
        id="1",
        taken_at=TAKEN,
        entries={name: Entry(name, 2, 0o600, ns(moment), 0, 0, sha256) for name in ("creds.json", *names)},
        creds=facts,
        account=known,
        newest_account=known,
    )


def folder(files: Mapping[str, LiveFile] | None = None, **creds: Any) -> LiveFolder:
    facts, known = account(**creds)
    return LiveFolder({"creds.json": file(), **(files or {})}, facts, known)


def without_creds(live: LiveFolder) -> LiveFolder:
    files = {name: found for name, found in live.files.items() if name != "creds.json"}
    return LiveFolder(files, quarantined=live.quarantined)


def plan(live: LiveFolder, snap: SnapshotFiles, mode: Mode = Mode.REPAIR, **choice: Any) -> RestorePlan:
    return plan_restore(live, snap, Choice(mode, **choice), NOW)


def verdict(made: RestorePlan, name: str) -> tuple[Action, RestoreReason]:
    (found,) = [one for one in made.verdicts if one.name == name]
    return found.action, found.reason


# --- repair: what comes back --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMES_BACK)
def test_kinds_of_which_an_older_one_is_better_than_none_come_back(name: str) -> None:
    quiet = {SESSION: file()}
    snap = snapshot(name, SESSION)
    assert verdict(plan(folder(quiet), snap), name) == (Action.BRING_BACK, RestoreReason.MISSING)
    assert verdict(plan(folder({**quiet, name: TORN}), snap), name) == (
        Action.BRING_BACK,
        RestoreReason.UNREADABLE,
    )
    assert verdict(plan(folder({**quiet, name: file()}), snap), name) == (Action.KEEP, RestoreReason.WHOLE)


@pytest.mark.parametrize("name", COMES_BACK)
def test_they_come_back_after_traffic_as_well(name: str) -> None:
    made = plan(folder({SESSION: file(SINCE)}), snapshot(name, SESSION))
    assert made.traffic is Traffic.SINCE
    assert verdict(made, name) == (Action.BRING_BACK, RestoreReason.MISSING)


@pytest.mark.parametrize(
    ("beside", "lost", "expected"),
    [
        # nothing shows any, but one session tells nothing of another
        ({OTHER_SESSION: file()}, None, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
        ({OTHER_SESSION: file()}, TORN, (Action.SET_ASIDE, RestoreReason.TRAFFIC_UNTOLD)),
        ({}, TORN, (Action.SET_ASIDE, RestoreReason.TRAFFIC_UNTOLD)),
        # a sign of messages anywhere
        ({OTHER_SESSION: file(SINCE)}, None, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE)),
        ({OTHER_SESSION: file(SINCE)}, TORN, (Action.SET_ASIDE, RestoreReason.TRAFFIC_SINCE)),
        ({OTHER_SESSION: file()}, TORN_LATELY, (Action.SET_ASIDE, RestoreReason.TRAFFIC_SINCE)),
        (
            {OTHER_SESSION: file(), PEER_KEY: file(SINCE)},
            None,
            (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE),
        ),
        ({OTHER_SESSION: file(), MEMORY: file(SINCE)}, None, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE)),
        ({OTHER_SESSION: file(THEN, "[1]")}, None, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE)),
        (
            {OTHER_SESSION: file(), "session-9.0.json": file(NOW)},
            None,
            (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE),
        ),
        (
            {OTHER_SESSION: file(), "pre-key-31.json": file()},
            None,
            (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE),
        ),
        # an old file that the snapshot lacks came by an undo
        (
            {OTHER_SESSION: file(), "session-9.0.json": file()},
            None,
            (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD),
        ),
        # nothing is left to tell
        ({}, None, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
        ({PEER_KEY: file()}, None, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
    ],
)
def test_a_folder_alone_never_brings_a_session_back(
    beside: Mapping[str, LiveFile], lost: LiveFile | None, expected: tuple[Action, RestoreReason]
) -> None:
    snap = snapshot(SESSION, OTHER_SESSION, PEER_KEY, MEMORY, OWN_KEY)
    files = {OWN_KEY: file(), **beside} if MEMORY in beside else dict(beside)
    live = folder(files | ({SESSION: lost} if lost else {}))
    assert verdict(plan(live, snap), SESSION) == expected
    assert verdict(plan(live, snap, keep_sessions=True), SESSION)[0] is Action.BRING_BACK


BEFORE = TAKEN - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("files", "off_since", "was_repaired", "expected"),
    [
        ({OTHER_SESSION: file()}, BEFORE, False, (Action.BRING_BACK, RestoreReason.MISSING)),
        (
            {OTHER_SESSION: file(), SESSION: TORN},
            BEFORE,
            False,
            (Action.BRING_BACK, RestoreReason.UNREADABLE),
        ),
        ({}, BEFORE, False, (Action.BRING_BACK, RestoreReason.MISSING)),
        # it went after the snapshot, as any bot that is stopped for the restore
        ({OTHER_SESSION: file()}, SINCE, False, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
        ({OTHER_SESSION: file()}, None, False, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
        # something has written all the same: another process, by hand
        ({OTHER_SESSION: file(SINCE)}, BEFORE, False, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_SINCE)),
        ({"notes.txt": file(SINCE)}, BEFORE, False, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
        # what showed it may be what the repair has set aside
        ({OTHER_SESSION: file()}, BEFORE, True, (Action.LEAVE_OUT, RestoreReason.TRAFFIC_UNTOLD)),
    ],
)
def test_a_session_comes_back_where_the_bot_has_been_off_since_before_the_snapshot(
    files: Mapping[str, LiveFile],
    off_since: datetime | None,
    was_repaired: bool,
    expected: tuple[Action, RestoreReason],
) -> None:
    live = replace(folder(files), bot_is_off=True, off_since=off_since, was_repaired=was_repaired)
    made = plan(live, snapshot(SESSION, OTHER_SESSION))
    assert verdict(made, SESSION) == expected
    assert (made.traffic is Traffic.NONE) == (expected[0] is Action.BRING_BACK)


def test_a_counter_that_has_moved_is_traffic() -> None:
    live = folder({OTHER_SESSION: file()}, nextPreKeyId=61)
    made = plan(live, snapshot(SESSION, OTHER_SESSION))
    assert (made.traffic, made.traffic_sign) == (
        Traffic.SINCE,
        "nextPreKeyId of creds.json went from 31 to 61",
    )


def test_the_operator_can_know_better() -> None:
    made = plan(folder(), snapshot(SESSION), keep_sessions=True)
    assert verdict(made, SESSION) == (Action.BRING_BACK, RestoreReason.MISSING)
    assert (made.cost.contacts, made.cost.older_sessions) == (0, 0)


def test_the_operator_who_is_wrong_is_told_what_it_costs() -> None:
    for mode in Mode:
        live = folder({OTHER_SESSION: file(SINCE, "[1]"), PEER_KEY: TORN})
        made = plan(live, snapshot(SESSION, OTHER_SESSION, PEER_KEY), mode, keep_sessions=True)
        assert made.cost.older_sessions == made.count(Action.BRING_BACK) - 1
        assert made.cost.older_keys == 1


def test_an_unreadable_session_without_a_copy_goes_aside() -> None:
    made = plan(folder({SESSION: TORN}), snapshot())
    assert verdict(made, SESSION) == (Action.SET_ASIDE, RestoreReason.NO_COPY)
    assert made.set_aside == [(SESSION,)]
    assert made.cost.contacts == 1


# --- the bot's own sender-keys ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_disk", "aside"),
    [
        ({OWN_KEY: file(), MEMORY: file()}, ()),
        ({OWN_KEY: TORN, MEMORY: file()}, (MEMORY, OWN_KEY)),
        ({OWN_KEY: file(), MEMORY: TORN}, (MEMORY, OWN_KEY)),
        ({MEMORY: file()}, (MEMORY,)),  # every member would fail to read the next key
        ({OWN_KEY: file()}, ()),  # the memory is made anew and everybody is told
        ({OWN_KEY: TORN}, (OWN_KEY,)),
        ({}, ()),
    ],
)
def test_own_sender_keys_never_come_back_and_go_with_their_memory(
    on_disk: Mapping[str, LiveFile], aside: tuple[str, ...]
) -> None:
    for beside in ({}, {SESSION: file()}, {SESSION: file(SINCE)}):
        made = plan(folder({**on_disk, **beside}), snapshot(OWN_KEY, MEMORY, SESSION))
        assert {name for name in (OWN_KEY, MEMORY) if verdict(made, name)[0] is Action.BRING_BACK} == set()
        assert list(made.set_aside) == ([aside] if aside else [])


def test_one_of_two_own_keys_of_a_group_is_lost() -> None:
    live = folder({OWN_KEY: file(), MEMORY: file()})
    made = plan(live, snapshot(OWN_KEY, OWN_KEY_BY_LID, MEMORY))
    assert made.set_aside == [(MEMORY, OWN_KEY)]


def test_the_keys_of_the_own_phone_are_those_of_a_peer() -> None:
    phone = f"sender-key-{GROUP}--919585510685--0.json"
    assert verdict(plan(folder(), snapshot(phone)), phone) == (Action.BRING_BACK, RestoreReason.MISSING)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "on_disk",
    [None, TORN, TORN_LATELY, file(), file(SINCE), file(SINCE, "[2]"), file(THEN, "[2]")],
)
def test_a_whole_key_of_a_peer_stays_and_one_that_comes_back_may_be_older(
    mode: Mode, on_disk: LiveFile | None
) -> None:
    live = folder({PEER_KEY: on_disk} if on_disk else {})
    made = plan(live, snapshot(PEER_KEY), mode)
    if on_disk is not None and on_disk.whole:
        reason = RestoreReason.WHOLE if mode is Mode.REPAIR else RestoreReason.PEER_KEY_ON_DISK
        assert verdict(made, PEER_KEY) == (Action.KEEP, reason)
        assert (made.cost.group_senders, made.cost.older_keys) == (0, 0)
    else:
        assert verdict(made, PEER_KEY)[0] is Action.BRING_BACK
        assert (made.cost.group_senders, made.cost.older_keys) == (0, 1)


def test_what_was_queued_for_a_bot_that_was_off_is_read_with_what_comes_back() -> None:
    live = replace(folder(), bot_is_off=True, off_since=BEFORE)
    for made in (
        plan(live, snapshot(PEER_KEY)),
        plan(folder({OTHER_SESSION: file()}), snapshot(PEER_KEY, OTHER_SESSION), keep_sessions=True),
    ):
        assert verdict(made, PEER_KEY)[0] is Action.BRING_BACK
        assert made.cost.older_keys == 0


# --- pre-keys and counters ----------------------------------------------------------------------------------


def test_pre_keys_come_back_except_those_that_the_policy_removed() -> None:
    ids = range(1, 101)
    snap = snapshot(*(f"pre-key-{n}.json" for n in ids), nextPreKeyId=101, firstUnuploadedPreKeyId=101)
    live = folder({"pre-key-100.json": file()}, nextPreKeyId=101, firstUnuploadedPreKeyId=101)
    back = plan(live, snap, pre_key_guard=False).named(Action.BRING_BACK)
    assert back == sorted(f"pre-key-{n}.json" for n in range(51, 100))
    quarantined = replace(live, quarantined=frozenset({"pre-key-60.json"}))
    assert verdict(plan(quarantined, snap), "pre-key-60.json") == (
        Action.LEAVE_OUT,
        RestoreReason.REMOVED_BY_POLICY,
    )


def test_pre_keys_that_the_policy_leaves_out_are_stated_where_no_cleanup_has_them() -> None:
    """An accident took them, as far as anybody knows: without the guard the policy has no room for what is offered."""
    every = [f"pre-key-{i}.json" for i in range(1, 101)]
    snap = snapshot(*every, "lid-mapping-1.json", nextPreKeyId=101, firstUnuploadedPreKeyId=101)
    half = folder(dict.fromkeys(every[::2], file()), nextPreKeyId=101, firstUnuploadedPreKeyId=101)
    # One upload of Baileys 7 by the times of the snapshot: the guard has all of it back.
    guarded = plan(half, snap)
    assert (guarded.cost.pre_keys, guarded.count(Action.LEAVE_OUT)) == (0, 0)
    made = plan(half, snap, pre_key_guard=False)
    left_out = made.named(Action.LEAVE_OUT)
    assert len(left_out) == made.cost.pre_keys == 25
    assert plan(replace(half, quarantined=frozenset(left_out)), snap, pre_key_guard=False).cost.pre_keys == 0


def test_no_pre_key_on_disk_is_ever_removed() -> None:
    live = folder({f"pre-key-{n}.json": file() for n in range(1, 200)} | {"pre-key-200.json": TORN})
    for mode in Mode:
        made = plan(live, snapshot("pre-key-1.json"), mode)
        assert made.set_aside == []
        kept = [one.name for one in made.verdicts if one.action in (Action.KEEP, Action.BRING_BACK)]
        assert {f"pre-key-{n}.json" for n in range(1, 200)} <= set(kept)


@pytest.mark.parametrize(
    ("on_disk", "quarantined", "expected"),
    [
        (["pre-key-30.json"], [], None),
        (["pre-key-30.json", "pre-key-45.json"], [], 46),
        (["pre-key-30.json"], ["pre-key-52.json"], 53),
        # not even the newest that the snapshot knows is there: more may have come and gone
        ([], [], 31 + 812),
        (["pre-key-12.json"], [], 31 + 812),
    ],
)
def test_returning_creds_are_moved_past_every_pre_key(
    on_disk: list[str], quarantined: list[str], expected: int | None
) -> None:
    live = replace(without_creds(folder(dict.fromkeys(on_disk, file()))), quarantined=frozenset(quarantined))
    made = plan(live, snapshot("pre-key-12.json"))
    assert verdict(made, "creds.json") == (Action.BRING_BACK, RestoreReason.MISSING)
    assert made.next_pre_key_id == expected
    assert made.cost.pre_keys_untold == (expected == 31 + 812)


@pytest.mark.parametrize(
    ("on_disk", "next_id", "lost"),
    [
        (range(1, 61), 61, 0),
        (range(1, 31), 61, 30),
        # the newest is there, and tells nothing of those before it
        ([*range(1, 31), 60], 61, 29),
        (range(1, 61, 2), 61, 15),
        # a key of a retry receipt, made after the loss
        ([*range(1, 31), 61], 62, 30),
        # what the snapshot has comes back
        ([], 31, 0),
        ([], 61, 30),
        # whoever owns the folder counts as far as he likes
        ([*range(1, 31)], 10**12, 10**12 - 31),
    ],
)
def test_every_pre_key_that_was_made_since_and_is_gone_may_be_lost(
    on_disk: Sequence[int], next_id: int, lost: int
) -> None:
    snap = snapshot(*(f"pre-key-{n}.json" for n in range(1, 31)))
    for mode in Mode:
        live = folder({f"pre-key-{n}.json": file() for n in on_disk}, nextPreKeyId=next_id)
        assert plan(live, snap, mode).cost.pre_keys == lost


def test_a_pre_key_that_is_unreadable_is_lost_unless_the_snapshot_has_it() -> None:
    files = {f"pre-key-{n}.json": TORN if n % 2 else file() for n in range(1, 61)}
    snap = snapshot(*(f"pre-key-{n}.json" for n in range(5, 31)))
    for mode in Mode:
        assert plan(folder(files, nextPreKeyId=61), snap, mode, pre_keys_keep=60).cost.pre_keys == 15 + 2
    # without creds the newest file is all that tells how far they went
    made = plan(without_creds(folder(files)), snap, pre_keys_keep=60)
    assert (made.cost.pre_keys, made.cost.pre_keys_untold) == (15 + 2, False)


def test_creds_of_the_same_account_stay_whatever_they_count() -> None:
    for counter in (5, 31, 900):
        made = plan(folder(nextPreKeyId=counter), snapshot())
        assert verdict(made, "creds.json") == (Action.KEEP, RestoreReason.SAME_ACCOUNT)
        assert made.next_pre_key_id is None


def test_creds_of_a_bot_that_started_anew_are_replaced() -> None:
    live = replace(folder(), account=CredsState.UNPAIRED)
    assert verdict(plan(live, snapshot()), "creds.json") == (Action.BRING_BACK, RestoreReason.UNPAIRED)


def test_fitting_changes_two_numbers_and_nothing_else() -> None:
    written = json.dumps(creds_document(pushName="caf\u00e9 \U0001f600", big=1e21)).encode()
    fitted = fitted_creds(written, 77)
    assert fitted.replace(b'"nextPreKeyId": 77', b'"nextPreKeyId": 31').replace(
        b'"firstUnuploadedPreKeyId": 77', b'"firstUnuploadedPreKeyId": 31'
    ) == written  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        creds_document(history={"nextPreKeyId": 3, "text": '"nextPreKeyId":4'}),
        {key: value for key, value in creds_document().items() if key != "firstUnuploadedPreKeyId"},
    ],
    ids=["the words appear elsewhere", "a counter is not there"],
)
def test_fitting_finds_the_right_numbers(document: dict[str, Any]) -> None:
    expected = document | {"nextPreKeyId": 77, "firstUnuploadedPreKeyId": 77}
    assert json.loads(fitted_creds(json.dumps(document).encode(), 77)) == expected


# --- refusals -----------------------------------------------------------------------------------------------


def objections(made: RestorePlan) -> dict[Objection, bool]:
    return {refusal.objection: refusal.can_be_forced for refusal in made.refusals}


@pytest.mark.parametrize(("age", "refused"), [(119, True), (121, False), (-3600, True)])
def test_a_folder_that_was_written_to_lately_has_a_bot(age: int, refused: bool) -> None:
    live = folder({SESSION: file(NOW - timedelta(seconds=age))})
    expected = {Objection.BOT_LIVES: True} if refused else {}
    assert objections(plan(live, snapshot())) == expected


OTHER: dict[str, Any] = {"me": {"id": "15550001111:3@s.whatsapp.net"}}
ANEW: dict[str, Any] = {"me": {"id": "919585510685:18@s.whatsapp.net", "lid": "270996591579169:18@lid"}}


@pytest.mark.parametrize(
    ("changes", "objection"), [(OTHER, Objection.OTHER_ACCOUNT), (ANEW, Objection.PAIRED_ANEW)]
)
def test_two_identities_never_share_a_folder(changes: dict[str, Any], objection: Objection) -> None:
    assert objections(plan(folder(), snapshot(**changes))) == {objection: False}
    assert objections(plan(folder(), snapshot(**changes), Mode.ROLLBACK)) == {objection: True}


def test_a_later_snapshot_tells_of_a_new_pairing_when_creds_are_lost() -> None:
    snap = replace(snapshot(), newest_account=account(**ANEW)[1])
    assert objections(plan(without_creds(folder()), snap)) == {Objection.PAIRED_ANEW: False}


def test_nothing_of_another_pairing_survives_a_forced_rollback() -> None:
    live = folder({"pre-key-90.json": file(), MAPPING: file(), SESSION: file()})
    made = plan(live, snapshot(PEER_KEY, **ANEW), Mode.ROLLBACK)
    assert made.named(Action.KEEP) == []
    assert made.named(Action.BRING_BACK) == [PEER_KEY, "creds.json"]


def test_what_is_no_plain_file_stays_and_stops_a_rollback() -> None:
    live = replace(folder(), oddities=(Oddity(MAPPING, "a symbolic link"),))
    assert verdict(plan(live, snapshot(MAPPING)), MAPPING) == (Action.KEEP, RestoreReason.IN_THE_WAY)
    assert objections(plan(live, snapshot(MAPPING), Mode.ROLLBACK)) == {Objection.ODDITIES: False}


# --- rollback -----------------------------------------------------------------------------------------------


def test_a_rollback_after_traffic_leaves_sessions_and_own_keys_out() -> None:
    live = folder(
        {SESSION: file(SINCE), OWN_KEY: file(SINCE), MEMORY: file(SINCE), "pre-key-40.json": file()},
        nextPreKeyId=41,
    )
    made = plan(live, snapshot(SESSION, OWN_KEY, MEMORY, PEER_KEY, MAPPING), Mode.ROLLBACK)
    assert made.named(Action.LEAVE_OUT) == sorted([SESSION, OWN_KEY, MEMORY])
    assert made.cost.older_keys == 1
    assert made.named(Action.BRING_BACK) == sorted([PEER_KEY, MAPPING])
    assert made.named(Action.KEEP) == ["pre-key-40.json", "creds.json"]
    assert made.cost.contacts == 1


def test_a_rollback_of_a_quiet_folder_keeps_its_sessions_but_not_newer_ones() -> None:
    live = folder({SESSION: file(), "session-9.0.json": file()})
    made = plan(live, snapshot(SESSION), Mode.ROLLBACK)
    assert verdict(made, SESSION) == (Action.BRING_BACK, RestoreReason.IN_SNAPSHOT)
    assert verdict(made, "session-9.0.json") == (Action.LEAVE_OUT, RestoreReason.NOT_IN_SNAPSHOT)


def test_a_rollback_keeps_what_nothing_ever_removes() -> None:
    newer = ["lid-mapping-1.json", "app-state-sync-key-BBBB.json", "tctoken-1@lid.json", "notes.txt"]
    live = folder(dict.fromkeys(newer, file(SINCE)))
    made = plan(live, snapshot(MAPPING), Mode.ROLLBACK)
    assert set(newer) <= set(made.named(Action.KEEP))


def test_live_creds_that_are_behind_the_snapshot_give_way_in_a_rollback() -> None:
    made = plan(folder(nextPreKeyId=5), snapshot("pre-key-30.json"), Mode.ROLLBACK)
    assert verdict(made, "creds.json") == (Action.BRING_BACK, RestoreReason.IN_SNAPSHOT)


# --- any folder and any snapshot ----------------------------------------------------------------------------

NAMES = [SESSION, OTHER_SESSION, OWN_KEY, OWN_KEY_BY_LID, MEMORY, "notes.txt", "pre-key-29.json"]
NAMES += ["pre-key-30.json", "pre-key-44.json", *COMES_BACK]

states = st.sampled_from(
    [None, file(), file(SINCE), file(THEN, "[]"), TORN, TORN_LATELY, file(NOW, "", whole=False)]
)
folders = st.builds(
    lambda files, creds, quarantined, replaced, off_since: replace(
        creds(folder({name: found for name, found in files.items() if found})),
        quarantined=frozenset(quarantined | replaced),
        replaced=frozenset(replaced - quarantined),
        was_repaired=bool(replaced),
        off_since=off_since,
    ),
    st.fixed_dictionaries(dict.fromkeys(NAMES, states)),
    st.sampled_from(
        [lambda live: live, without_creds, lambda live: replace(live, account=CredsState.UNPAIRED)]
    ),
    st.sets(st.sampled_from(NAMES), max_size=2),
    st.sets(st.sampled_from(NAMES), max_size=2),
    st.sampled_from([None, BEFORE, SINCE]),
)
snapshots = st.builds(lambda names: snapshot(*names), st.sets(st.sampled_from(NAMES)))


@given(folders, snapshots, st.sampled_from(Mode), st.booleans())
def test_every_file_has_one_verdict(live: LiveFolder, snap: SnapshotFiles, mode: Mode, keep: bool) -> None:
    made = plan(live, snap, mode, keep_sessions=keep)
    assert sorted(one.name for one in made.verdicts) == sorted({*live.files, *snap.entries})
    for one in made.verdicts:
        assert one.action is not Action.BRING_BACK or one.name in snap.entries
        assert one.action not in (Action.KEEP, Action.SET_ASIDE) or one.name in live.files


@given(folders, snapshots, st.booleans())
def test_a_repair_touches_nothing_whole(live: LiveFolder, snap: SnapshotFiles, keep: bool) -> None:
    made = plan(live, snap, keep_sessions=keep)
    for one in made.verdicts:
        found = live.files.get(one.name)
        if one.action is Action.SET_ASIDE:
            assert one.kind not in PROTECTED
            assert found is not None
            assert not found.whole or one.reason is RestoreReason.UNIT_BROKEN
        elif one.action is Action.BRING_BACK and found is not None and one.kind is not Kind.CREDS:
            assert not found.whole
        elif one.action is Action.LEAVE_OUT:
            assert found is None


@given(folders, snapshots, st.sampled_from(Mode), st.booleans())
def test_the_bots_own_keys_never_come_back(
    live: LiveFolder, snap: SnapshotFiles, mode: Mode, keep: bool
) -> None:
    back = plan(live, snap, mode, keep_sessions=keep).named(Action.BRING_BACK)
    assert not {OWN_KEY, OWN_KEY_BY_LID, MEMORY} & set(back)
    assert back[-1:] == ["creds.json"] or "creds.json" not in back


@given(folders, snapshots, st.sampled_from(Mode))
def test_no_memory_is_left_without_its_key(live: LiveFolder, snap: SnapshotFiles, mode: Mode) -> None:
    left = set(plan(live, snap, mode).named(Action.KEEP))
    assert MEMORY not in left or {OWN_KEY, OWN_KEY_BY_LID} & left


@given(folders, snapshots, st.sampled_from(Mode))
def test_no_session_comes_back_on_the_word_of_others(
    live: LiveFolder, snap: SnapshotFiles, mode: Mode
) -> None:
    live = replace(live, off_since=None)
    for name in plan(live, snap, mode).named(Action.BRING_BACK):
        as_it_stood = name in live.files and live.files[name].sha256 == snap.entries[name].sha256
        assert kind_of(name) is not Kind.SESSION or as_it_stood


@given(folders, snapshots, st.sampled_from(Mode))
def test_a_whole_sender_key_of_a_peer_is_never_replaced(
    live: LiveFolder, snap: SnapshotFiles, mode: Mode
) -> None:
    made = plan(live, snap, mode)
    if live.files.get(PEER_KEY, TORN).whole:
        assert verdict(made, PEER_KEY)[0] is Action.KEEP


@given(folders, snapshots, st.sampled_from(Mode))
def test_no_older_session_comes_back_after_traffic(live: LiveFolder, snap: SnapshotFiles, mode: Mode) -> None:
    made = plan(live, snap, mode)
    sessions = [name for name in made.named(Action.BRING_BACK) if kind_of(name) is Kind.SESSION]
    changed = [
        name
        for name, found in live.files.items()
        if kind_of(name) in (Kind.SESSION, Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY)
        and found.stat.st_mtime_ns > ns(TAKEN)
    ]
    assert not (sessions and changed)


@given(folders, snapshots, st.sampled_from(Mode))
def test_returning_creds_never_hand_out_an_id_twice(
    live: LiveFolder, snap: SnapshotFiles, mode: Mode
) -> None:
    made = plan(live, snap, mode)
    if "creds.json" in made.named(Action.BRING_BACK):
        counter = made.next_pre_key_id or snap.creds.next_pre_key_id
        ids = [int(name[8:-5]) for name in live.files if kind_of(name) is Kind.PRE_KEY]
        assert counter is not None
        assert counter > max(ids, default=0)


@pytest.mark.parametrize("memory", [file(SINCE), file(THEN, "[1]")])
@pytest.mark.parametrize("quarantined", [frozenset(), frozenset({MEMORY})])
@pytest.mark.parametrize("off_since", [None, BEFORE])
def test_a_repair_that_takes_the_sign_of_messages_away_is_not_fooled_by_that(
    memory: LiveFile, quarantined: frozenset[str], off_since: datetime | None
) -> None:
    live = folder({MEMORY: memory, OTHER_SESSION: file()})
    live = replace(live, quarantined=quarantined, off_since=off_since)
    snap = snapshot(OWN_KEY, OWN_KEY_BY_LID, MEMORY, SESSION, OTHER_SESSION)
    made = plan(live, snap)
    assert made.set_aside == [(MEMORY,)]
    assert made.traffic is Traffic.SINCE
    again = repaired(live, snap, made)
    assert plan(again, snap).traffic is Traffic.UNTOLD
    assert verdict(plan(again, snap), SESSION)[0] is Action.LEAVE_OUT


@given(folders, snapshots)
def test_a_second_repair_has_nothing_to_do(live: LiveFolder, snap: SnapshotFiles) -> None:
    again = repaired(live, snap, plan(live, snap))
    assert plan(again, snap).changes_nothing


def repaired(live: LiveFolder, snap: SnapshotFiles, made: RestorePlan) -> LiveFolder:
    """The folder as that repair leaves it."""
    left = {one.name for one in made.verdicts if one.action is Action.KEEP}
    files = {name: live.files[name] for name in left}
    for name in made.named(Action.BRING_BACK):
        entry = snap.entries[name]
        files[name] = LiveFile(SeenFile(entry.size, entry.mtime_ns, 1), entry.sha256, whole=True)
    aside = frozenset(name for unit in made.set_aside for name in unit)
    replaced = aside - (live.quarantined - live.replaced)
    return LiveFolder(
        files,
        snap.creds,
        snap.account,
        (),
        live.quarantined | aside,
        live.replaced | replaced,
        off_since=live.off_since,
        was_repaired=live.was_repaired or bool(aside),
    )
