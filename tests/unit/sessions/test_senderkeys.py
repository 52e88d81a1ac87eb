"""Whose sender-key it is, by name and by content, and what makes a unit with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from baileys_tools.sessions.rules.creds import Address, Creds
from baileys_tools.sessions.rules.senderkeys import Owner, owner_of, sort_by_owner, untold_sender_keys
from baileys_tools.sessions.scan import has_private_signing_key
from tests.oracle import EMPTY, PRIVATE, sender_key_record

ME, LID = Address("919585510685", 17), Address("270996591579169", 17)
GROUP = "120363041234567890@g.us"


def creds(me: Address | None = ME, lid: Address | None = LID) -> Creds:
    return Creds(me, lid, None, None, True)


def key(sender: str, group: str = GROUP) -> str:
    return f"sender-key-{group}--{sender}.json"


@pytest.mark.parametrize(
    ("sender", "owner"),
    [
        ("919585510685--17", Owner.BOT),
        ("919585510685_128--17", Owner.BOT),
        ("270996591579169--17", Owner.BOT),
        ("270996591579169_1--17", Owner.BOT),
        ("270996591579169_129--17", Owner.BOT),
        ("919585510685-17--0", Owner.BOT),  # whaileys, Baileys up to 6.4
        ("919585510685-18--0", Owner.PEER),
        ("919585510685-17--1", Owner.PEER),
        ("9195855106857-17--0", Owner.PEER),
        ("919585510685--0", Owner.PEER),  # the bot's phone
        ("919585510685--99", Owner.PEER),
        ("270996591579169_1--0", Owner.PEER),
        ("919585510685_1--17", Owner.PEER),
        ("919585510685_129--17", Owner.PEER),
        ("270996591579169_128--17", Owner.PEER),
        ("9195855106857--17", Owner.PEER),
        ("91958551068--17", Owner.PEER),
        ("19585510685--17", Owner.PEER),
        ("4917000000001--17", Owner.PEER),
    ],
)
@pytest.mark.parametrize("group", [GROUP, "919585510685-1602@g.us", "status@broadcast"])
def test_the_name_tells_the_bots_own_key(sender: str, group: str, owner: Owner) -> None:
    assert owner_of(key(sender, group), creds(), {}) is owner


@pytest.mark.parametrize("sender", ["919585510685--17", "919585510685--0", "919585510685_128--3"])
def test_an_own_device_that_creds_do_not_name_may_be_any(sender: str) -> None:
    assert owner_of(key(sender), creds(me=Address("919585510685", None)), {}) is Owner.BOT


@pytest.mark.parametrize("account", [creds(me=None), creds(lid=None), creds(me=None, lid=None)])
@pytest.mark.parametrize(("content", "owner"), [(True, Owner.BOT), (False, Owner.PEER), (None, Owner.UNTOLD)])
def test_where_creds_do_not_say_enough_the_content_decides(
    account: Creds, content: bool | None, owner: Owner
) -> None:
    name = key("4917000000001--0")
    assert untold_sender_keys([name], account) == [name]
    assert owner_of(name, account, {} if content is None else {name: content}) is owner


def test_content_is_not_asked_for_what_the_name_tells() -> None:
    own, peer = key("919585510685--17"), key("4917000000001--0")
    assert untold_sender_keys([own, peer], creds()) == []
    assert untold_sender_keys([own, peer], creds(lid=None)) == [peer]
    assert owner_of(own, creds(lid=None), {own: False}) is Owner.BOT


# --- content ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("content", "has_private_key"),
    [
        pytest.param(sender_key_record(PRIVATE), True, id="own"),
        pytest.param(sender_key_record(None), False, id="peer of Baileys 6: no field"),
        pytest.param(sender_key_record(EMPTY), False, id="peer of Baileys 7: empty buffer"),
        pytest.param(sender_key_record({"type": "Buffer", "data": ""}), False, id="empty base64 buffer"),
        pytest.param(sender_key_record({"type": "Buffer", "data": "cHI="}), True, id="base64 buffer"),
        pytest.param(sender_key_record(EMPTY, PRIVATE), True, id="newest state own"),
        pytest.param(sender_key_record(PRIVATE, EMPTY), False, id="newest state a peer's"),
        pytest.param(sender_key_record(), None, id="no state"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"{", None, id="cut off"),
        pytest.param(b'"text"', None, id="a text"),
        pytest.param(b'{"type":"Buffer","data":"%%%"}', None, id="no base64"),
        pytest.param(b'{"type":"Buffer","data":"bnVsbA=="}', None, id="null inside"),
        pytest.param(b'{"type":"Buffer","data":7}', None, id="a number inside"),
        pytest.param(b"[" * 100_000, None, id="a bomb"),
    ],
)
def test_the_content_tells_who_can_sign(
    tmp_path: Path, folder: int, content: bytes, has_private_key: bool | None
) -> None:
    (tmp_path / key("4917000000001--0")).write_bytes(content)
    assert has_private_signing_key(folder, key("4917000000001--0")) is has_private_key


def test_a_content_that_cannot_be_read_tells_nothing(tmp_path: Path, folder: int) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert [has_private_signing_key(folder, name) for name in ("fifo", "link", "missing")] == [None] * 3


# --- units --------------------------------------------------------------------------------------------------


def test_a_unit_is_the_memory_first_and_then_the_own_keys_of_one_group() -> None:
    own, own_lid, peer = key("919585510685--17"), key("270996591579169_1--17"), key("4917000000001--0")
    other = key("919585510685--17", "status@broadcast")
    memory, lone = f"sender-key-memory-{GROUP}.json", "sender-key-memory-1-2@g.us.json"
    found = sort_by_owner(sorted([own, own_lid, peer, other]), [memory, lone], creds(), {})
    assert list(found.peers) == [peer]
    assert {unit[0]: set(unit[1:]) for unit in found.units} == {
        memory: {own, own_lid},
        lone: set(),
        other: set(),
    }
    assert found.untold == frozenset()


def test_keys_that_cannot_be_told_are_in_units_and_noted() -> None:
    unclear, peer = key("4917000000001--0"), key("4917000000002--0")
    memory = f"sender-key-memory-{GROUP}.json"
    found = sort_by_owner([unclear, peer], [memory], creds(me=None), {peer: False})
    assert list(found.peers) == [peer]
    assert [tuple(unit) for unit in found.units] == [(memory, unclear)]
    assert found.untold == {unclear}
