"""What is read from `creds.json`, and that nothing in it can bring the tool down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.sessions.rules.creds import Address, Creds, CredsState, parse_creds, state_of
from tests.canaries import PRIVATE_KEY
from tests.support import creds


def parsed(**changes: Any) -> Creds:
    found = parse_creds(json.dumps(creds(**changes)).encode())
    assert isinstance(found, Creds)
    return found


def test_the_account_and_its_counters_are_read() -> None:
    assert parsed(nextPreKeyId=813, firstUnuploadedPreKeyId=812) == Creds(
        me=Address("919585510685", 17),
        lid=Address("270996591579169", 17),
        next_pre_key_id=813,
        first_unuploaded_pre_key_id=812,
        paired=True,
        registration_id=117,
    )


def test_a_login_is_one_device_with_one_identity() -> None:
    one = parsed()
    assert one.login == parsed(nextPreKeyId=900).login != ""
    for change in (
        {"me": {"id": "919585510685:18@s.whatsapp.net"}},
        {"registrationId": 118},
        {"me": {"id": "919585510686:17@s.whatsapp.net"}},
    ):
        assert parsed(**change).login != one.login
    assert parsed(account=None).login == parsed(me={"id": "919585510685@s.whatsapp.net"}).login == ""


def test_no_secret_is_kept() -> None:
    assert PRIVATE_KEY not in repr(parsed())
    assert "YWR2" not in repr(parsed())


@pytest.mark.parametrize(
    ("jid", "address"),
    [
        ("919585510685:17@s.whatsapp.net", Address("919585510685", 17)),
        ("919585510685@s.whatsapp.net", Address("919585510685", None)),
        ("919585510685:0@s.whatsapp.net", Address("919585510685", 0)),
        ("919585510685:@s.whatsapp.net", Address("919585510685", None)),
        ("919585510685:x@s.whatsapp.net", Address("919585510685", None)),
        ("919585510685:\u0663@s.whatsapp.net", Address("919585510685", None)),
        (":17@s.whatsapp.net", None),
        ("@s.whatsapp.net", None),
        ("", None),
        (None, None),
        (919585510685, None),
        (["919585510685:17@s.whatsapp.net"], None),
    ],
)
def test_an_address_is_read_or_missing(jid: Any, address: Address | None) -> None:
    assert parsed(me={"id": jid}).me == address
    assert parsed(me={"id": "1:2@s.whatsapp.net", "lid": jid}).lid == address


@pytest.mark.parametrize("me", [None, [], "919585510685:17@s.whatsapp.net", 7, {}])
def test_without_me_there_is_no_address_and_no_pairing(me: Any) -> None:
    found = parsed(me=me)
    assert (found.me, found.lid, found.paired) == (None, None, False)


@pytest.mark.parametrize("account", [None, {}, ""])
def test_without_an_account_the_folder_is_not_paired(account: Any) -> None:
    assert not parsed(account=account).paired


def test_an_account_paired_by_qr_code_is_paired_though_not_registered() -> None:
    assert parsed(registered=False).paired


@pytest.mark.parametrize("value", [None, "31", 31.5, -1, 1e300, 9 * 10**400, True, False, [31], {}])
def test_a_counter_that_is_no_whole_number_is_missing(value: Any) -> None:
    found = parsed(nextPreKeyId=value, firstUnuploadedPreKeyId=value)
    assert (found.next_pre_key_id, found.first_unuploaded_pre_key_id) == (None, None)


def test_an_object_without_anything_is_readable() -> None:
    assert parse_creds(b"{}") == Creds(None, None, None, None, False, lacks="noiseKey")


@pytest.mark.parametrize("spelling", ["31", "31.0", "3.1e1", "310e-1"])
def test_a_counter_is_read_as_javascript_reads_it(spelling: str) -> None:
    found = parse_creds(b'{"nextPreKeyId":%s}' % spelling.encode())
    assert isinstance(found, Creds) and found.next_pre_key_id == 31


@pytest.mark.parametrize(
    "key", ["noiseKey", "signedIdentityKey", "signedPreKey", "registrationId", "advSecretKey"]
)
@pytest.mark.parametrize("value", [None, "", {}])
def test_creds_that_lack_a_key_of_the_identity_are_incomplete(key: str, value: Any) -> None:
    assert parsed().state == "valid"
    assert parsed(**{key: value}).state == "incomplete"
    assert parsed(**{key: value}).lacks == key
    assert parsed(**{key: value}, account=None).state == "unpaired"


@pytest.mark.parametrize(
    "part",
    [
        ("noiseKey", "private"),
        ("noiseKey", "public"),
        ("signedIdentityKey", "private"),
        ("signedPreKey", "keyPair", "private"),
        ("signedPreKey", "signature"),
    ],
    ids=".".join,
)
@pytest.mark.parametrize(
    "value", [None, "", {}, {"type": "Buffer", "data": ""}, {"type": "Buffer", "data": []}]
)
def test_creds_that_lack_a_part_of_a_key_are_incomplete(part: tuple[str, ...], value: Any) -> None:
    content = creds()
    around = content
    for name in part[:-1]:
        around[name] = around = dict(around[name])
    around[part[-1]] = value
    found = parse_creds(json.dumps(content).encode())
    assert isinstance(found, Creds) and (found.state, found.lacks) == ("incomplete", ".".join(part))


@pytest.mark.parametrize("counter", ["nextPreKeyId", "firstUnuploadedPreKeyId"])
@pytest.mark.parametrize("value", [None, "31", 31.5, {}])
def test_creds_without_the_number_of_their_next_pre_key_are_incomplete(counter: str, value: Any) -> None:
    found = parsed(**{counter: value})
    assert (found.state, found.lacks) == ("incomplete", counter)


@pytest.mark.parametrize(
    "me", [{}, [], "919585510685:17@s.whatsapp.net", 7, {"id": ""}, {"id": "919585510685"}]
)
def test_a_me_without_an_address_stops_a_bot(me: Any) -> None:
    """Baileys asks `creds.me` alone whether to log in, and then throws (`jidDecode` of its id)."""
    assert (parsed(me=me).state, parsed(me=me, account=None).state) == ("incomplete", "incomplete")
    assert parsed(me=None).state == parsed(me=None, account=None).state == "unpaired"


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (b"{}", "unpaired"),
        (b'{"registered":false}', "unpaired"),
        (b'{"noiseKey":{}}', "unpaired"),
        (b'{"type":"service_account","private_key":"x"}', "incomplete"),
        (b'{"installed":{"registrationId":1}}', "incomplete"),
    ],
)
def test_creds_of_another_program_are_those_of_no_bot(content: bytes, state: str) -> None:
    assert state_of(parse_creds(content)) == state


def test_a_public_key_is_read_in_each_of_its_written_forms() -> None:
    for public in (
        {"type": "Buffer", "data": "AAEC"},
        {"type": "Buffer", "data": [0, 1, 2]},
        {"0": 0, "1": 1},
    ):
        assert not parsed(signedIdentityKey={"private": public, "public": public}).lacks
    nothings: list[Any] = [{"type": "Buffer", "data": ""}, {"type": "Buffer", "data": []}, {}, None, 7, [{}]]
    for nothing in nothings:
        assert parsed(signedIdentityKey={"private": {"0": 0}, "public": nothing}).lacks


@pytest.mark.parametrize(
    ("key", "versions"),
    [
        ({"type": "Buffer", "data": "AAEC"}, {6, 7}),
        ({"type": "Buffer", "data": [0, 1, 2]}, {6}),
        ({"type": "Buffer", "data": "", "value": [0, 1]}, {6}),
        ({"buffer": True, "data": "AAEC"}, {6}),
        ({"0": 0, "1": 1.0}, {7}),
        ({"0": 0, "1": True}, set()),
        ({"0": 0, "length": 1}, set()),
        ([0, 1, 2], set()),
        ("AAEC", set()),
        ({"data": "AAEC"}, set()),
        ({"buffer": 1, "data": "AAEC"}, set()),
    ],
)
def test_creds_say_which_versions_read_their_keys(key: Any, versions: set[int]) -> None:
    """Measured with both clients: `tests/contract/test_key_forms.py`."""
    pair = {"private": key, "public": key}
    found = parsed(noiseKey=pair)
    assert found.versions == versions
    assert (found.state, found.lacks) == (("valid", "") if versions else ("incomplete", "noiseKey.private"))
    if not versions:
        assert found.is_written


def test_keys_of_which_each_version_reads_another_are_read_by_none() -> None:
    of_6, of_7 = {"type": "Buffer", "data": [1]}, {"0": 1}
    found = parsed(noiseKey={"private": of_6, "public": of_7})
    assert (found.state, found.lacks, found.is_written) == ("incomplete", "noiseKey.public", True)


@pytest.mark.parametrize("content", [b"", b" \n\t", b"\0" * 4096])
def test_a_file_with_nothing_in_it_is_empty(content: bytes) -> None:
    assert parse_creds(content) is CredsState.EMPTY


@pytest.mark.parametrize(
    "content",
    [
        b'{"me":{"id":"919585510685:17@s.wha',
        b"[]",
        b"null",
        b'"text"',
        b"42",
        b"{}{}",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"nextPreKeyId":NaN}',
        b'{"nextPreKeyId":-Infinity}',
    ],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_what_is_no_json_object_is_unreadable(content: bytes) -> None:
    assert parse_creds(content) is CredsState.UNREADABLE


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xef\xbb\xbf{}", CredsState.ENCODING),
        ("{}".encode("utf-16"), CredsState.ENCODING),
        (b"\xff\xfe\xfd", CredsState.ENCODING),
        (b'"' + b"a" * (16 << 20) + b'"', CredsState.TOO_LARGE),
        (b"[" + b"0," * 1_100_000 + b"0]", CredsState.TOO_LARGE),
    ],
    ids=["mark", "utf-16", "half a mark", "bytes", "values"],
)
def test_why_creds_cannot_be_read_is_told(content: bytes, problem: CredsState) -> None:
    assert parse_creds(content) is problem


def test_bytes_that_are_no_utf_8_and_long_numbers_do_no_harm() -> None:
    content = json.dumps(creds()).encode().replace(b"Shop", b"caf\xe9")
    longest = content[:-1] + b',"accountSyncCounter":' + b"9" * 10_000 + b"}"
    for whole in (content, longest):
        found = parse_creds(whole)
        assert isinstance(found, Creds) and found.state == "valid"


def test_a_device_number_without_end_does_not_bring_the_tool_down() -> None:
    found = parsed(me={"id": f"919585510685:{'9' * 5_000}@s.whatsapp.net"})
    assert found.me == Address("919585510685", None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["me", "id", "lid", "account"]), inner),
    max_leaves=8,
)


@given(
    st.binary() | st.dictionaries(st.sampled_from(list(creds())), JSON).map(lambda d: json.dumps(d).encode())
)
def test_no_content_raises(content: bytes) -> None:
    assert isinstance(parse_creds(content), Creds | CredsState)
