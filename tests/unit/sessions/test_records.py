"""Records and files are told from each other both ways, and one value has one meaning however it is written."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.rules.records import (
    Form,
    NoValue,
    RecordName,
    canonical,
    difference,
    file_name,
    in_form,
    meaning,
    meanings,
    misfiled,
    record_of,
    session_digest,
    split_name,
)

FIXTURES = Path(__file__).parents[3] / "fixtures"

PAIRS = [
    ("pre-key", "5", "pre-key-5.json"),
    ("session", "100000000000001_1.0", "session-100000000000001_1.0.json"),
    ("session", "919810000001.12", "session-919810000001.12.json"),
    (
        "sender-key",
        "120363400000000000@g.us::100000000000000_1::0",
        "sender-key-120363400000000000@g.us--100000000000000_1--0.json",
    ),
    (
        "sender-key",
        "919810000000-1600000000@g.us::919810000001::3",
        "sender-key-919810000000-1600000000@g.us--919810000001--3.json",
    ),
    ("sender-key-memory", "120363400000000000@g.us", "sender-key-memory-120363400000000000@g.us.json"),
    ("app-state-sync-key", "AAAAAB//", "app-state-sync-key-AAAAAB____.json"),
    ("app-state-sync-key", "AAAAAC/+", "app-state-sync-key-AAAAAC__+.json"),
    ("app-state-sync-version", "critical_block", "app-state-sync-version-critical_block.json"),
    ("lid-mapping", "100000000000001_reverse", "lid-mapping-100000000000001_reverse.json"),
    ("device-list", "919810000001", "device-list-919810000001.json"),
    ("identity-key", "100000000000001_1.0", "identity-key-100000000000001_1.0.json"),
    ("tctoken", "100000000000001@lid", "tctoken-100000000000001@lid.json"),
    ("tctoken", "__index", "tctoken-__index.json"),
]


@pytest.mark.parametrize(("type_", "key_id", "name"), PAIRS)
def test_a_record_and_its_file_are_told_from_each_other(type_: str, key_id: str, name: str) -> None:
    record = RecordName(type_, key_id)
    assert file_name(record) == name
    assert record_of(name) == record
    assert split_name(f"{type_}-{key_id}") == record
    assert split_name(name.removesuffix(".json")) == record, "the fixed id is read as the true one"


def test_every_file_of_the_fixtures_has_a_record_that_leads_back_to_it() -> None:
    names = [
        path.name
        for folder in FIXTURES.glob("*/company_*")
        for path in folder.glob("*.json")
        if folder.parent.name not in ("hostile", "damaged")
        and kind_of(path.name) not in (Kind.CREDS, Kind.UNKNOWN)
    ]
    assert len(names) > 500
    for name in names:
        record = record_of(name)
        assert record is not None, name
        assert file_name(record) == name


@pytest.mark.parametrize(
    "name",
    ["creds.json", "pre-key-5.json.bak", "pre-key-x.json", "notes.txt", "bridge-1.json", "session-.json"],
)
def test_what_is_no_record_has_none(name: str) -> None:
    assert record_of(name) is None


@settings(max_examples=60)
@given(some.text("0123456789ABCDEFabcdef/+", min_size=8, max_size=44))
def test_the_id_of_an_app_state_key_survives_its_file(key_id: str) -> None:
    record = RecordName("app-state-sync-key", key_id)
    assert record_of(file_name(record)) == record


@pytest.mark.parametrize(
    ("type_", "key_id", "meant"),
    [
        ("pre", "key-5", RecordName("pre-key", "5")),
        ("app", "state-sync-key-AAAAAB//", RecordName("app-state-sync-key", "AAAAAB//")),
        ("sender", "key-memory-1@g.us", RecordName("sender-key-memory", "1@g.us")),
        ("lid", "mapping-1_reverse", RecordName("lid-mapping", "1_reverse")),
        ("device", "list-1", RecordName("device-list", "1")),
        ("identity", "key-1.0", RecordName("identity-key", "1.0")),
        ("pre-key", "5", None),
        ("notes", "of-somebody", None),
        ("pre", "key-five", None),
    ],
)
def test_a_row_that_was_split_at_its_first_dash_is_told(
    type_: str, key_id: str, meant: RecordName | None
) -> None:
    assert misfiled(type_, key_id) == meant


# --- values ---------------------------------------------------------------------------------------------------

BASE64 = b'{"type":"Buffer","data":"AQI="}'
ARRAY = b'{"type":"Buffer","data":[1,2]}'
INDEX = b'{"0":1,"1":2}'


@pytest.mark.parametrize(
    "written", [BASE64, ARRAY, INDEX, b'{"type": "Buffer", "data": [1, 2]}', b'{"1":2,"0":1}']
)
def test_the_forms_of_a_buffer_mean_one_thing(written: bytes) -> None:
    assert canonical(written) == BASE64
    assert in_form(written, Form.ARRAY) == ARRAY
    assert meaning(b'{"a":%s}' % written) == meaning(b'{"a":%s}' % BASE64)


@pytest.mark.parametrize(
    "text",
    [
        b'{"0":true}',
        b'{"1":1}',
        b'{"0":256}',
        b'{"0":-1}',
        b'{"0":1.5}',
        b"{}",
        b'{"keyData":"AQI=","fingerprint":{"rawId":1,"deviceIndexes":[0]},"timestamp":"1"}',
        b'"919810000000"',
        b'["0","12"]',
        b'{"messageKeys":{"0":"AQI="}}',
    ],
)
def test_what_is_no_buffer_stays_as_it_is(text: bytes) -> None:
    assert canonical(text) == text
    assert in_form(text, Form.ARRAY) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BASE64, b'{"type":"Buffer","data":"AQM="}'),
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":1}', b'{"a":true}'),
        (b'{"a":0}', b'{"a":false}'),
        (b"[1,2]", b"[2,1]"),
        (b'{"a":null}', b"{}"),
        (b'{"keyData":"AQI="}', b'{"keyData":{"type":"Buffer","data":"AQI="}}'),
    ],
)
def test_what_differs_means_something_else(one: bytes, other: bytes) -> None:
    assert meaning(one) != meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{"b": 2, "a": 1}'),
        (b'{"a":1.0}', b'{"a":1}'),
        (b'{"a":1e3}', b'{"a":1000}'),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992}'),
        (b'{"a":"\\u00e9"}', '{"a":"é"}'.encode()),
        (b'{"type":"Buffer","data":"AQI"}', BASE64),
    ],
)
def test_what_javascript_reads_alike_means_the_same(one: bytes, other: bytes) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize("text", [b"", b"null", b"{", b"\x00\x00", b"\xef\xbb\xbf{}", b'{"a":NaN}'])
def test_what_a_client_takes_for_missing_is_no_value(text: bytes) -> None:
    for read in (canonical, meaning):
        with pytest.raises(NoValue):
            read(text)


JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**53), 2**53)
    | some.text(max_size=12)
    | some.binary(max_size=40).map(
        lambda found: {"type": "Buffer", "data": base64.b64encode(found).decode()}
    ),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(some.text("abcdefgh_", min_size=1, max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
).filter(lambda value: value is not None)


@settings(max_examples=60)
@given(JSON)
def test_a_value_goes_through_each_form_and_comes_back(value: object) -> None:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    once = canonical(text)
    assert canonical(once) == once
    assert canonical(in_form(text, Form.ARRAY)) == once
    assert meaning(in_form(text, Form.ARRAY)) == meaning(text)
    spaced = json.dumps(value, indent=2, sort_keys=True).encode()
    assert meaning(spaced) == meaning(text)


def test_a_session_has_one_digest_and_what_differs_is_named() -> None:
    one = {"creds.json": b'{"a":1,"b":%s}' % BASE64, "pre-key-1.json": ARRAY, "odd.txt": b"no json"}
    other = {"pre-key-1.json": INDEX, "odd.txt": b"no json", "creds.json": b'{"b": %s, "a": 1}' % ARRAY}
    assert session_digest(meanings(one)) == session_digest(meanings(other))
    assert not difference(meanings(one), meanings(other))
    del other["odd.txt"]
    other["pre-key-1.json"], other["pre-key-2.json"] = b'{"0":9}', ARRAY
    found = difference(meanings(one), meanings(other))
    assert found == (("odd.txt",), ("pre-key-2.json",), ("pre-key-1.json",))
    assert session_digest(meanings(one)) != session_digest(meanings(other))
