"""What `creds.json` says about the account, without keeping a secret of it."""

import json
import re
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.sessions.rules.node_json import Refusal, UnreadJson, buffer, read_json, whole_number


class CredsProblem(StrEnum):
    """Why `creds.json` cannot be relied on."""

    MISSING = "missing"
    EMPTY = "empty"
    """0 bytes: Baileys truncates the file before it writes (`Utils/use-multi-file-auth-state.js`)."""
    UNREADABLE = "unreadable"
    """Not a JSON object: cut off, overwritten, or not readable at all."""
    ENCODING = "wrongly-encoded"
    """A byte order mark or UTF-16: an editor saved it so, and the bot cannot read it."""
    TOO_LARGE = "too-large"
    """Larger than this tool judges. The bot may well read it."""


class Address(NamedTuple):
    """A WhatsApp address `user[:device]@server`, without its server. `device` is None where it is not given."""

    user: str
    device: int | None


class Creds(NamedTuple):
    """The facts of a readable `creds.json` that rules need.

    `next_pre_key_id` and `first_unuploaded_pre_key_id` are None where creds do not state them.
    `paired` is true when the account was linked: `me.id` names a device and `account` is there
    (`registered` stays false for accounts that were paired by QR code). `complete` is false where a key of the identity
    is missing: Baileys makes all of them at once (`Utils/auth-utils.js`: `initAuthCreds`) and stops without one.
    """

    me: Address | None
    lid: Address | None
    next_pre_key_id: int | None
    first_unuploaded_pre_key_id: int | None
    paired: bool
    registration_id: int | None = None
    complete: bool = True

    @property
    def condition(self) -> str:
        """What creds that can be read are, in one word."""
        if not self.paired:
            return "unpaired"
        return "valid" if self.complete else "incomplete"

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
    try:
        creds = read_json(content)
    except UnreadJson as unread:
        return _PROBLEMS.get(unread.refusal, CredsProblem.UNREADABLE)
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
        complete=_has_identity(creds),
    )


_PROBLEMS = {
    Refusal.EMPTY: CredsProblem.EMPTY,
    Refusal.ENCODING: CredsProblem.ENCODING,
    Refusal.TOO_LARGE: CredsProblem.TOO_LARGE,
}
_IDENTITY_KEYS = ("noiseKey", "signedIdentityKey", "signedPreKey", "registrationId", "advSecretKey")


def _has_identity(creds: dict[str, object]) -> bool:
    if any(creds.get(key) in (None, "", {}, []) for key in _IDENTITY_KEYS):
        return False
    return public_key(creds["signedIdentityKey"]) is not None


def public_key(pair: object) -> str | None:
    """Given a pair of keys as creds have it, return what tells its public key from any other, None where none is."""
    public = pair.get("public") if isinstance(pair, dict) else None
    data = public.get("data") if isinstance(public, dict) else public
    if isinstance(data, str) and data:
        return json.dumps(data)
    inside = buffer({"type": "Buffer", "data": data} if isinstance(data, list) else public)
    return json.dumps(list(inside)) if inside else None


def _address(contact: object, field: str) -> Address | None:
    jid = contact.get(field) if isinstance(contact, dict) else None
    if not isinstance(jid, str) or not jid:
        return None
    user, _, device = jid.partition("@")[0].partition(":")
    if not user:
        return None
    return Address(user, int(device) if device.isascii() and device.isdigit() and len(device) < 10 else None)


def _counter(creds: dict[str, object], field: str) -> int | None:
    return whole_number(creds.get(field))


def fitted_creds(content: bytes, next_pre_key_id: int) -> bytes:
    """Given the bytes of `creds.json`, return them with both pre-key counters at `next_pre_key_id`.

    Nothing else changes, not even the spelling, where the counters are written as Baileys writes them.
    """
    creds = read_json(content)
    assert isinstance(creds, dict)  # a snapshot without a login is not restored
    creds |= dict.fromkeys(_COUNTERS, next_pre_key_id)
    fitted = content
    for counter in _COUNTERS:
        pattern = rb'("%s"\s*:\s*)\d+' % counter.encode()
        fitted = re.sub(pattern, rb"\g<1>%d" % next_pre_key_id, fitted)
    if read_json(fitted) == creds:
        return fitted
    return json.dumps(creds, separators=(",", ":")).encode()


_COUNTERS = ("nextPreKeyId", "firstUnuploadedPreKeyId")
