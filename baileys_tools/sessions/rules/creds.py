"""What `creds.json` says about the account, without keeping a secret of it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.sessions.rules.keyfiles import AFTER_LOGIN, Kind
from baileys_tools.sessions.rules.node_json import (
    Refusal,
    UnreadJson,
    buffer,
    read_by,
    read_json,
    whole_number,
)


class CredsState(StrEnum):
    """How `creds.json` is, as the bot would find it. Every command says it in these words, and the state keeps them."""

    VALID = "valid"
    """It belongs to a linked device, and nothing that a bot needs is missing."""
    UNPAIRED = "unpaired"
    """No device of an account: never linked, or replaced by the new identity of a bot that found no creds."""
    INCOMPLETE = "incomplete"
    """Without a part that a bot cannot do without, or another program's: a bot stops with it, or spoils its keys."""
    MISSING = "missing"
    EMPTY = "empty"
    """0 bytes: Baileys truncates the file before it writes (`Utils/use-multi-file-auth-state.js`)."""
    UNREADABLE = "unreadable"
    """Not a JSON object: cut off, overwritten, or not readable at all."""
    ENCODING = "wrongly-encoded"
    """A byte order mark or UTF-16: an editor saved it so, and the bot cannot read it."""
    TOO_LARGE = "too-large"
    """Larger than this tool judges. The bot may well read it."""
    LINKED = "linked-elsewhere"
    """A symbolic link to what is not a plain file of the folder's owner. The bot may well read it."""
    UNKNOWN = "unknown"
    """The folder cannot be looked into."""

    def is_lost(self, *, was_linked: bool) -> bool:
        """Whether a bot could not go on with it. Where none `was_linked`, missing and unpaired ones are no loss."""
        if self in (CredsState.MISSING, CredsState.UNPAIRED):
            return was_linked
        return self in _BROKEN

    @property
    def said(self) -> str:
        """What is wrong with it, in words; "" where nothing is, or where nobody knows."""
        return _SAID.get(self, "")


_BROKEN = (CredsState.INCOMPLETE, CredsState.EMPTY, CredsState.UNREADABLE, CredsState.ENCODING)
_SAID = {
    CredsState.UNPAIRED: "creds.json belongs to no linked device",
    CredsState.INCOMPLETE: "creds.json lacks a part that the bot needs",
    CredsState.MISSING: "creds.json is missing",
    CredsState.EMPTY: "creds.json is empty",
    CredsState.UNREADABLE: "creds.json cannot be read",
    CredsState.ENCODING: "creds.json begins with a byte order mark or is UTF-16",
}


class Address(NamedTuple):
    """A WhatsApp address `user[:device]@server`, without its server. `device` is None where it is not given."""

    user: str
    device: int | None


VERSIONS = frozenset((6, 7))
"""The versions of Baileys whose clients are known here."""


class Creds(NamedTuple):
    """The facts of a readable `creds.json` that rules need.

    `next_pre_key_id` and `first_unuploaded_pre_key_id` are None where creds do not state them.
    `paired` is true when the account was linked: `me.id` names a device and `account` is there
    (`registered` stays false for accounts that were paired by QR code). `lacks` names the first part that is missing
    and that a bot needs (`signedPreKey.signature`), "" for none; `is_written` is true where it stands there in a form
    that no version of Baileys reads. `versions` are those that read all keys. `of_a_bot` is false where another program
    wrote them.
    """

    me: Address | None
    lid: Address | None
    next_pre_key_id: int | None
    first_unuploaded_pre_key_id: int | None
    paired: bool
    registration_id: int | None = None
    lacks: str = ""
    of_a_bot: bool = True
    is_written: bool = False
    versions: frozenset[int] = VERSIONS

    @property
    def state(self) -> CredsState:
        if not self.of_a_bot or self.lacks == ME:
            return CredsState.INCOMPLETE
        if not self.paired:
            return CredsState.UNPAIRED
        return CredsState.INCOMPLETE if self.lacks else CredsState.VALID

    @property
    def login(self) -> str:
        """What tells one linked device from every other, "" while none is linked.

        A device number can be given out again after a device was removed; `registrationId` is made anew with each
        identity (`Utils/auth-utils.js`: `initAuthCreds`), and a copy of a folder has the same.
        """
        if not self.paired or self.me is None:
            return ""
        return f"{self.me.user}:{self.me.device}:{self.registration_id}"


def state_of(creds: Creds | CredsState) -> CredsState:
    """Given the facts of `creds.json`, or why there are none, return how it is."""
    return creds.state if isinstance(creds, Creds) else creds


def show_a_login(state: CredsState, files: Mapping[Kind, Sequence[str]]) -> bool:
    """Given how creds are that are of no linked device, and the files by kind, return whether those tell of one.

    Only a login brings some kinds. Where creds.json is missing, any other file tells that it was there: it comes first.
    """
    if state is CredsState.UNPAIRED:
        return any(files.get(kind) for kind in AFTER_LOGIN)
    return state is CredsState.MISSING and any(files.values())


def fit_the_files(creds: Creds, files: Mapping[Kind, Sequence[str]]) -> bool:
    """Given creds that can be read, and the files by kind, return whether the login is told that the files tell of.

    Where it is not, the session is lost, or in a form that nobody here knows: then the files are all there is of it.
    """
    return creds.state is CredsState.VALID or (
        creds.state is CredsState.UNPAIRED and not show_a_login(creds.state, files)
    )


def problem_of(creds: Creds | CredsState, files: Mapping[Kind, Sequence[str]]) -> str:
    """Given how creds are, and the files by kind, return in one word why no file may go, "" where none has to stay."""
    return "" if isinstance(creds, Creds) and fit_the_files(creds, files) else state_of(creds).value


def parse_creds(content: bytes) -> Creds | CredsState:
    """Given the bytes of `creds.json`, return its facts, or why there are none."""
    try:
        creds = read_json(content)
    except UnreadJson as unread:
        return _PROBLEMS.get(unread.refusal, CredsState.UNREADABLE)
    if not isinstance(creds, dict):
        return CredsState.UNREADABLE
    contact = creds.get("me")
    me = _address(contact, "id")
    lacks, is_written, versions = _lacking(creds, me)
    return Creds(
        me=me,
        lid=_address(contact, "lid"),
        next_pre_key_id=_counter(creds, "nextPreKeyId"),
        first_unuploaded_pre_key_id=_counter(creds, "firstUnuploadedPreKeyId"),
        paired=me is not None and me.device is not None and bool(creds.get("account")),
        registration_id=_counter(creds, "registrationId"),
        lacks=lacks,
        of_a_bot=not is_of_another_program(creds),
        is_written=is_written,
        versions=versions,
    )


_PROBLEMS = {
    Refusal.EMPTY: CredsState.EMPTY,
    Refusal.ENCODING: CredsState.ENCODING,
    Refusal.TOO_LARGE: CredsState.TOO_LARGE,
}


def is_of_another_program(creds: Mapping[str, object]) -> bool:
    """Whether an object that stands in a `creds.json` says something, and nothing that Baileys writes there."""
    return bool(creds) and creds.keys().isdisjoint(_OF_BAILEYS)


IDENTITY_KEYS = ("noiseKey", "signedIdentityKey", "signedPreKey", "registrationId", "advSecretKey")
"""What `Utils/auth-utils.js: initAuthCreds` makes first, all at once."""
_OF_BAILEYS = (*IDENTITY_KEYS, "me", "account", "registered", "nextPreKeyId", "firstUnuploadedPreKeyId")
"""Fields of `AuthenticationCreds` (`Types/Auth.ts`) that `initAuthCreds` or a pairing writes."""


ME = "me.id"
"""Baileys asks `creds.me` alone whether to log in or to pair, and throws where it has no id."""
COUNTERS = ("nextPreKeyId", "firstUnuploadedPreKeyId")
"""Where one is no number, a bot logs in, and then makes no pre-keys or those of old ids again: measured with
`getNextPreKeysNode` (baileys 7.0.0-rc14), for null 1 to 96, for "91" all from 91 to 914."""


class _Lacking(NamedTuple):
    """`Creds` says what they are."""

    lacks: str = ""
    is_written: bool = False
    versions: frozenset[int] = VERSIONS


def _lacking(creds: Mapping[str, object], me: Address | None) -> _Lacking:
    """Return the first part that is missing and that a bot needs, and which versions read what is there.

    A client logs in with the bytes of these keys, and throws at what its reviver has left as it was: measured in
    `tests/contract/test_key_forms.py`.
    """
    contact = creds.get("me")
    if me is None and contact not in (None, "", 0):  # an empty object is something, to JavaScript
        return _Lacking(ME)
    for key in IDENTITY_KEYS:
        if creds.get(key) in (None, "", {}, []):
            return _Lacking(key)
    versions = VERSIONS
    for parts in _KEY_PARTS:
        part: object = creds
        for name in parts:
            part = part.get(name) if isinstance(part, Mapping) else None
        versions &= read_by(part)
        if not versions:
            return _Lacking(".".join(parts), bool(part) and buffer(part) != b"", versions)
    counter = next((counter for counter in COUNTERS if _counter(creds, counter) is None), "")
    return _Lacking(counter, versions=versions)


_KEY_PARTS = (
    ("noiseKey", "private"),
    ("noiseKey", "public"),
    ("signedIdentityKey", "private"),
    ("signedIdentityKey", "public"),
    ("signedPreKey", "keyPair", "private"),
    ("signedPreKey", "keyPair", "public"),
    ("signedPreKey", "signature"),
)


def public_key(pair: object) -> str | None:
    """Given a pair of keys as creds have it, return what tells its public key from any other, None where none is."""
    return _told_bytes(pair.get("public")) if isinstance(pair, dict) else None


def _told_bytes(part: object) -> str | None:
    """Given bytes in any of the forms that they are written in, return what tells them from others, None for none."""
    data = part.get("data") if isinstance(part, dict) else part
    if isinstance(data, str) and data:
        return json.dumps(data)
    inside = buffer({"type": "Buffer", "data": data} if isinstance(data, list) else part)
    return json.dumps(list(inside)) if inside else None


def _address(contact: object, field: str) -> Address | None:
    jid = contact.get(field) if isinstance(contact, dict) else None
    if not isinstance(jid, str) or "@" not in jid:
        return None
    user, _, device = jid.partition("@")[0].partition(":")
    if not user:
        return None
    return Address(user, int(device) if device.isascii() and device.isdigit() and len(device) < 10 else None)


def _counter(creds: Mapping[str, object], field: str) -> int | None:
    return whole_number(creds.get(field))


def fitted_creds(content: bytes, next_pre_key_id: int) -> bytes:
    """Given the bytes of `creds.json`, return them with both pre-key counters at `next_pre_key_id`.

    Nothing else changes, not even the spelling, where the counters are written as Baileys writes them.
    """
    creds = read_json(content)
    assert isinstance(creds, dict)  # a snapshot without a login is not restored
    creds |= dict.fromkeys(COUNTERS, next_pre_key_id)
    fitted = content
    for counter in COUNTERS:
        pattern = rb'("%s"\s*:\s*)\d+' % counter.encode()
        fitted = re.sub(pattern, rb"\g<1>%d" % next_pre_key_id, fitted)
    if read_json(fitted) == creds:
        return fitted
    return json.dumps(creds, separators=(",", ":")).encode()


# --- copies beside it, whoever keeps them: the next Baileys, a bot's own code, a person --------------------------

CREDS = "creds.json"
BAK = f"{CREDS}.bak"
"""What the next Baileys rotates `creds.json` to before each save, and where some programs keep the last that parsed."""


def is_creds_copy(name: str) -> bool:
    """Whether a file is called as a copy of `creds.json`: whether it is one, and of which login, its content tells.

    Seen in public bots: `creds.json.bak`, `creds.json.backup`, `creds.json.backup.<time>`, `creds.backup.json`,
    `creds.json.tmp.<time>`; editors and people add `creds.json~`, `creds.json.1`, `creds (copy).json`.
    """
    return name[:5].lower() == "creds" and name != CREDS and not name[5:6].isalnum() and len(name) > 5


def is_form_of_its_own(name: str) -> bool:
    """Whether a copy is called as none: a bot may keep its creds there (`creds.v2.json`, `creds.json.enc`)."""
    return _ASIDE.search(name.lower()) is None


_ASIDE = re.compile(r"bak|back|old|orig|copy|save|te?mp|prev|last|good|~|\.[0-9]+$|^creds\.json$")


def creds_copies(names: Iterable[str]) -> list[str]:
    """Given the names in a folder, return the copies of `creds.json`, the likeliest first."""
    return sorted(
        filter(is_creds_copy, names), key=lambda name: (name != BAK, is_form_of_its_own(name), name)
    )
