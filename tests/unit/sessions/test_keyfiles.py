"""What a file is, told from its name: every line of the grammar, its traps, and names made to mislead."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baileys_tools.sessions.rules.keyfiles import (
    PROTECTED,
    Kind,
    is_companion,
    key_id_of,
    key_of,
    kind_of,
    parse_sender_key,
    sort_by_kind,
    sort_names,
)
from tests import oracle

KNOWN = [
    ("creds.json", Kind.CREDS, None),
    ("pre-key-1.json", Kind.PRE_KEY, "1"),
    ("pre-key-16777215.json", Kind.PRE_KEY, "16777215"),
    ("session-4917000000001.0.json", Kind.SESSION, "4917000000001.0"),
    ("session-270996591579169_1.12.json", Kind.SESSION, "270996591579169_1.12"),
    ("session-4917000000001_128.99.json", Kind.SESSION, "4917000000001_128.99"),
    ("session-270996591579169_129.99.json", Kind.SESSION, "270996591579169_129.99"),
    ("identity-key-270996591579169_1.0.json", Kind.IDENTITY_KEY, "270996591579169_1.0"),
    ("sender-key-1203630@g.us--4917000000001--0.json", Kind.SENDER_KEY, "1203630@g.us--4917000000001--0"),
    ("sender-key-49170-1602@g.us--491_1--3.json", Kind.SENDER_KEY, "49170-1602@g.us--491_1--3"),
    ("sender-key-status@broadcast--491--17.json", Kind.SENDER_KEY, "status@broadcast--491--17"),
    ("sender-key-memory-1203630@g.us.json", Kind.SENDER_KEY_MEMORY, "1203630@g.us"),
    ("sender-key-memory-49170-1602@g.us.json", Kind.SENDER_KEY_MEMORY, "49170-1602@g.us"),
    ("sender-key-memory-status@broadcast.json", Kind.SENDER_KEY_MEMORY, "status@broadcast"),
    ("app-state-sync-key-AAAAAB____.json", Kind.APP_STATE_SYNC_KEY, "AAAAAB____"),
    ("app-state-sync-key-AAAA+w==.json", Kind.APP_STATE_SYNC_KEY, "AAAA+w=="),
    ("app-state-sync-version-critical_unblock_low.json", Kind.APP_STATE_SYNC_VERSION, "critical_unblock_low"),
    ("lid-mapping-4917000000001.json", Kind.LID_MAPPING, "4917000000001"),
    ("lid-mapping-270996591579169_reverse.json", Kind.LID_MAPPING, "270996591579169_reverse"),
    ("device-list-4917000000001.json", Kind.DEVICE_LIST, "4917000000001"),
    ("tctoken-270996591579169@lid.json", Kind.TCTOKEN, "270996591579169@lid"),
    ("tctoken-491@s.whatsapp.net.json", Kind.TCTOKEN, "491@s.whatsapp.net"),
    ("tctoken-__index.json", Kind.TCTOKEN, "__index"),
    ("contacts-tc-token-491@s.whatsapp.net.json", Kind.CONTACTS_TC_TOKEN, "491@s.whatsapp.net"),
    ("bridge-session-491.0.json", Kind.BRIDGE, "session-491.0"),
    ("sender-key-1203630@g.us--491-17--0.json", Kind.SENDER_KEY, "1203630@g.us--491-17--0"),
]


@pytest.mark.parametrize(("name", "kind", "key_id"), KNOWN, ids=[name for name, _, _ in KNOWN])
def test_a_name_that_baileys_writes_has_its_kind_and_id(name: str, kind: Kind, key_id: str | None) -> None:
    assert kind_of(name) is kind
    if key_id is not None:
        assert key_id_of(name, kind) == key_id


@pytest.mark.parametrize("name", [*oracle.UNKNOWN_NAMES, "", "x", "session-bad\udcff.0.json", "CREDS.json"])
def test_a_name_that_baileys_does_not_write_is_unknown(name: str) -> None:
    assert kind_of(name) is Kind.UNKNOWN


@pytest.mark.parametrize(
    "name",
    [
        "app-state-sync-key-\x1b[2J\n.json",
        "lid-mapping-../../etc.json",
        "creds.json.bak",
        "creds.json.tmp",
        "lid-mapping-1.json.bak",
    ],
)
def test_a_protected_kind_is_protected_whatever_its_id(name: str) -> None:
    assert kind_of(name) in PROTECTED


def test_what_may_never_go_is_fixed() -> None:
    never = {
        Kind.CREDS,
        Kind.APP_STATE_SYNC_KEY,
        Kind.APP_STATE_SYNC_VERSION,
        Kind.LID_MAPPING,
    }
    assert never == PROTECTED


@pytest.mark.parametrize(
    ("name", "group", "user", "device"),
    [
        ("sender-key-1203630@g.us--4917000000001--0.json", "1203630@g.us", "4917000000001", 0),
        ("sender-key-49170-1602@g.us--491_129--99.json", "49170-1602@g.us", "491_129", 99),
        ("sender-key-a--b--491--3.json", "a--b", "491", 3),
        ("sender-key-status@broadcast--491_1--17.json", "status@broadcast", "491_1", 17),
    ],
)
def test_a_sender_key_is_split_from_the_right(name: str, group: str, user: str, device: int) -> None:
    assert parse_sender_key(name) == (group, user, device)


PREFIXES = [
    *("pre-key-", "session-", "sender-key-", "sender-key-memory-", "app-state-sync-key-", "lid-mapping-"),
    *("device-list-", "tctoken-", "identity-key-", "app-state-sync-version-", "creds", ""),
    *("bridge-", "contacts-tc-token-"),
]
NAMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(PREFIXES),
    st.text(alphabet="019aZ@._+=-\u0663\x1b\n ", max_size=12) | st.from_regex(r"[0-9]{1,3}--[0-9]--[0-9]"),
    st.sampled_from([".json", "", ".JSON", ".json.tmp", ".json.bak", ".json.bak.bak"]),
).filter(lambda name: "\0" not in name)


@given(NAMES)
@example("session-1.\u0663.json")
@example("sender-key-memory-1--2--3.json")
def test_every_name_is_read_as_the_second_opinion_reads_it(name: str) -> None:
    assert kind_of(name).value == oracle.kind_of(name)


@given(st.lists(NAMES, unique=True, max_size=30))
def test_sorting_a_folder_tells_each_name_as_it_is_told_alone(names: list[str]) -> None:
    by_kind = sort_by_kind(names)
    keys = {key_of(name) if is_companion(name) else name for name in names}
    assert sorted(name for found in by_kind.values() for name in found) == sorted(keys)
    for kind, found in by_kind.items():
        assert found
        assert list(found) == sorted(found)
        assert {kind_of(name) for name in found} == {kind}


@given(st.lists(NAMES, unique=True, max_size=30))
@example(["session-1.0.json.bak", "session-1.0.json", "session-1.0.json.tmp", "session-2.0.json.bak"])
def test_every_companion_is_a_part_of_its_key_and_goes_before_it(names: list[str]) -> None:
    parts = sort_names(names).parts
    companions = [name for name in names if is_companion(name)]
    assert sorted(name for files in parts.values() for name in files if name in companions) == sorted(
        companions
    )
    for key, files in parts.items():
        assert {key_of(name) for name in files} == {key}
        assert (key in files) is (key in names)
        assert key not in files[:-1]
