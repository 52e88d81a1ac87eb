"""Whose a sender-key is, by its record alone: on every key that Baileys 6 and 7 wrote into the fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from baileys_tools.sessions.rules.creds import Creds, parse_creds
from baileys_tools.sessions.rules.keyfiles import Kind, sort_by_kind
from baileys_tools.sessions.rules.senderkeys import Owner, holds_private_key, owner_of
from fixtures.lay import FIXTURES

FOLDERS = [
    "healthy-v6/company_1001",
    "bloated-v6/company_2001",
    "fresh-v7/company_3001",
    "long-lived-v7/company_4001",
]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_record_says_the_same_as_the_name_where_creds_know_all_addresses(name: str) -> None:
    """A peer's key of Baileys 7 has an empty buffer for its private key: not nothing, and not a key."""
    folder = Path(FIXTURES) / name
    creds = parse_creds((folder / "creds.json").read_bytes())
    assert isinstance(creds, Creds)
    assert creds.lid is not None
    keys = sort_by_kind(path.name for path in folder.iterdir())[Kind.SENDER_KEY]
    by_record = {key: holds_private_key((folder / key).read_bytes()) for key in keys}
    assert by_record == {key: owner_of(key, creds, {}) is Owner.BOT for key in keys}
    assert set(by_record.values()) == {True, False}
