"""What `creds.json` says about the account, without keeping a secret of it."""

from enum import StrEnum
from typing import NamedTuple

from baileys_tools.parsing import parse_json

_LARGEST_COUNTER = (1 << 53) - 1
"""The largest whole number that Node counts by ones (`Number.MAX_SAFE_INTEGER`)."""


class CredsProblem(StrEnum):
    """Why `creds.json` cannot be relied on."""

    MISSING = "missing"
    EMPTY = "empty"
    """0 bytes: Baileys truncates the file before it writes (`Utils/use-multi-file-auth-state.js`)."""
    UNREADABLE = "unreadable"
    """Not a JSON object: cut off, overwritten, or not readable at all."""


class Address(NamedTuple):
    """A WhatsApp address `user[:device]@server`, without its server. `device` is None where it is not given."""

    user: str
    device: int | None


class Creds(NamedTuple):
    """The facts of a readable `creds.json` that rules need.

    `next_pre_key_id` and `first_unuploaded_pre_key_id` are None where creds do not state them.
    `paired` is true when the account was linked: `me.id` names a device and `account` is there
    (`registered` stays false for accounts that were paired by QR code).
    """

    me: Address | None
    lid: Address | None
    next_pre_key_id: int | None
    first_unuploaded_pre_key_id: int | None
    paired: bool
    registration_id: int | None = None

    @property
    def login(self) -> str:
        """What tells one linked device from every other, "" while none is linked.

        A device number can be given out again after a device was removed; `registrationId` is made anew with each
        identity (`Utils/auth-utils.js`: `initAuthCreds`), and a copy of a folder has the same.
        """
        if not self.paired or self.me is None:
            return ""
        return f"{self.me.user}:{self.me.device}:{self.registration_id}"


def parse_creds(content: bytes) -> Creds | CredsProblem:
    """Given the bytes of `creds.json`, return its facts, or why there are none."""
    if not content.strip(b" \t\r\n\0"):
        return CredsProblem.EMPTY
    try:
        creds = parse_json(content)
    except ValueError:
        return CredsProblem.UNREADABLE
    if not isinstance(creds, dict):
        return CredsProblem.UNREADABLE
    contact = creds.get("me")
    me = _address(contact, "id")
    return Creds(
        me=me,
        lid=_address(contact, "lid"),
        next_pre_key_id=_counter(creds, "nextPreKeyId"),
        first_unuploaded_pre_key_id=_counter(creds, "firstUnuploadedPreKeyId"),
        paired=me is not None and me.device is not None and bool(creds.get("account")),
        registration_id=_counter(creds, "registrationId"),
    )


def _address(contact: object, field: str) -> Address | None:
    jid = contact.get(field) if isinstance(contact, dict) else None
    if not isinstance(jid, str) or not jid:
        return None
    user, _, device = jid.partition("@")[0].partition(":")
    if not user:
        return None
    return Address(user, int(device) if device.isascii() and device.isdigit() and len(device) < 10 else None)


def _counter(creds: dict[str, object], field: str) -> int | None:
    value = creds.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_COUNTER:
        return None
    return value
