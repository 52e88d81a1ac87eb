"""Who a contact is in a session folder, and what the folder holds of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from baileys_tools.cures.rules.asides import AsideReason
from baileys_tools.cures.rules.sessions import SessionFile, address_of, parse_session
from baileys_tools.cures.rules.unreadable import Evidence, Unreadable
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, parse_sender_key

_TYPED = re.compile(
    r"(?P<user>[1-9][0-9]{4,19})(?:_(?P<domain>[0-9]{1,3}))?(?:[:.][0-9]{1,4})?"
    r"(?:@(?P<server>s\.whatsapp\.net|c\.us|hosted|lid|hosted\.lid))?"
)
_GROUP = re.compile(r"120363[0-9]{12}")
"""Longer than any phone number or LID."""
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""What WhatsApp puts around a number for the direction of writing: it comes along where one is copied."""
_USER = re.compile(r"[0-9]{5,20}")
_REVERSE = "_reverse"


class Typed(NamedTuple):
    """What an operator typed: a user, and whether that is a LID; None where it does not say."""

    user: str
    is_lid: bool | None


def is_group(text: str) -> bool:
    """Whether what an operator typed names a group, with its server or without."""
    return text.endswith("@g.us") or _GROUP.fullmatch(text) is not None


def typed_contact(text: str) -> Typed | None:
    """Given a number, a LID or an address as logs have them, return whom it names; None for anything else.

    A number may be written as it is dialled abroad, with + or 00; no address begins with a 0. The name of a session's
    file names its contact.
    """
    typed = _UNSEEN.sub("", text).strip().removeprefix(f"{Kind.SESSION}-").removesuffix(".json")
    found = _TYPED.fullmatch(re.sub(r"^(?:\+|00)|[\s()/\u2010-\u2015\u2212-]", "", typed))
    if found is None or is_group(typed):
        return None
    if found["server"] is not None:
        return Typed(found["user"], found["server"] in ("lid", "hosted.lid"))
    return Typed(found["user"], True if found["domain"] in ("1", "129") else None)


_WRITTEN_TWICE = (
    (re.compile(r"52(?:1)?([2-9][0-9]{9})"), ("52{}", "521{}")),
    (re.compile(r"54(?:9)?([1-8][0-9]{9})"), ("54{}", "549{}")),
    (re.compile(r"55([1-9][0-9])9?([6-9][0-9]{7})"), ("55{}{}", "55{}9{}")),
)
"""Mobile numbers of Mexico, Argentina and Brazil have a digit that is dialled and WhatsApp knows them without, or the
other way round."""


def also_written(typed: Typed) -> Iterator[Typed]:
    """Yield a phone number as it was typed, and then as WhatsApp may know the same one."""
    yield typed
    for number, forms in _WRITTEN_TWICE if not typed.is_lid else ():
        if found := number.fullmatch(typed.user):
            yield from (
                typed._replace(user=user)
                for form in forms
                if (user := form.format(*found.groups())) != typed.user
            )


class Identity(NamedTuple):
    """One contact: its phone number and its LID, "" where the folder does not tell.

    `to_lid` and `to_pn` are whether a mapping says so in that direction.
    """

    pn: str = ""
    lid: str = ""
    to_lid: bool = False
    to_pn: bool = False

    @property
    def users(self) -> frozenset[str]:
        """The users that files of this contact have in their names."""
        return frozenset(filter(None, (self.pn, self.lid)))


def identity_of(
    typed: Typed, lid_of: Callable[[str], str | None], pn_of: Callable[[str], str | None]
) -> Identity:
    """Given what was typed and what the folder's mappings say, return who that is."""
    forward = lid_of(typed.user) if typed.is_lid is not True else None
    reverse = pn_of(typed.user) if typed.is_lid is not False else None
    if forward is not None:
        return Identity(typed.user, forward, True, pn_of(forward) == typed.user)
    if reverse is not None:
        return Identity(reverse, typed.user, lid_of(reverse) == typed.user, True)
    return Identity(lid=typed.user) if typed.is_lid else Identity(pn=typed.user)


def known_as(
    typed: Typed, facts: FolderFacts, lid_of: Callable[[str], str | None], pn_of: Callable[[str], str | None]
) -> Identity:
    """Given what was typed and a folder with its mappings, return who that is there."""
    found = [identity_of(one, lid_of, pn_of) for one in also_written(typed)]
    known = (one for one in found if one.to_lid or one.to_pn or sessions_of(one, facts))
    return next(known, found[0])


class HeldSession(NamedTuple):
    """One session of a contact. `why` is None for one that nothing speaks against."""

    name: str
    device: int
    is_lid: bool
    used_ms: int | None
    written_ns: int
    sessions: int
    why: AsideReason | None

    @property
    def address(self) -> str:
        return address_of(self.name)


class Held(NamedTuple):
    """What a folder holds of a contact."""

    identity: Identity
    sessions: tuple[HeldSession, ...] = ()
    identity_keys: int = 0
    listed_devices: int | None = None
    tokens: int = 0
    groups: int = 0
    sender_keys: int = 0
    sender_key_written_ns: int = 0
    unreadable: Unreadable = Unreadable()

    @property
    def is_empty(self) -> bool:
        """Whether the folder knows nothing of the contact."""
        known = (self.sessions, self.identity_keys, self.tokens, self.sender_keys)
        mapped = self.identity.to_lid or self.identity.to_pn
        return not any(known) and self.listed_devices is None and not mapped


def sessions_of(identity: Identity, facts: FolderFacts) -> list[str]:
    """Return the session files of a contact, by device."""
    found = [name for name in facts.of(Kind.SESSION) if parse_session(name).user in identity.users]
    return sorted(found, key=lambda name: (parse_session(name).device, name))


def what_is_held(
    identity: Identity,
    facts: FolderFacts,
    files: dict[str, SessionFile],
    broken: dict[str, AsideReason],
    listed_devices: int | None,
    evidence: Evidence,
) -> Held:
    """Given a contact, a folder, and what its sessions hold, return what the folder holds of the contact."""
    users = identity.users
    sessions = tuple(
        HeldSession(
            name,
            parse_session(name).device,
            parse_session(name).is_lid or parse_session(name).user == identity.lid,
            held.used_ms,
            facts.stats[name].st_mtime_ns,
            held.sessions,
            broken.get(name),
        )
        for name, held in files.items()
    )
    keys = [name for name in facts.of(Kind.SENDER_KEY) if _bare(parse_sender_key(name).user) in users]
    named = [found for device, found in evidence.items() if device.user in users]
    return Held(
        identity,
        sessions,
        _count(facts.of(Kind.IDENTITY_KEY), Kind.IDENTITY_KEY, users),
        listed_devices,
        _count(facts.of(Kind.TCTOKEN), Kind.TCTOKEN, users)
        + _count(facts.of(Kind.CONTACTS_TC_TOKEN), Kind.CONTACTS_TC_TOKEN, users),
        len({parse_sender_key(name).group for name in keys}),
        len(keys),
        max((facts.stats[name].st_mtime_ns for name in keys), default=0),
        Unreadable(
            sum(one.messages for one in named), max((one.last for one in named if one.last), default=None)
        ),
    )


def _bare(user: str) -> str:
    return user.partition("_")[0].partition("-")[0]


def _count(names: Iterable[str], kind: Kind, users: frozenset[str]) -> int:
    """Count files of a kind whose id begins with one of these users: `<user>_1.0`, `<user>@lid`, `<user>`."""
    return sum(re.split(r"[_.@]", key_id_of(name, kind), maxsplit=1)[0] in users for name in names)


class Pair(NamedTuple):
    """A phone number and a LID that mappings tie together, and in which directions."""

    pn: str
    lid: str
    to_lid: bool
    to_pn: bool


def mapped_user(name: str) -> tuple[str, bool]:
    """Given the name of a `lid-mapping`, return the user in it, and whether that is a LID."""
    user = key_id_of(name, Kind.LID_MAPPING)
    return (user.removesuffix(_REVERSE), True) if user.endswith(_REVERSE) else (user, False)


def pairs_of(mappings: Sequence[tuple[str, str]]) -> list[Pair]:
    """Given mappings (file name, what it says), return the pairs that they tell, by phone number."""
    found: dict[tuple[str, str], list[bool]] = {}
    for name, said in mappings:
        user, is_reverse = mapped_user(name)
        if not _USER.fullmatch(user):
            continue  # whoever can make a file chooses its name
        pair = (said, user) if is_reverse else (user, said)
        found.setdefault(pair, [False, False])[is_reverse] = True
    return [Pair(pn, lid, *ways) for (pn, lid), ways in sorted(found.items())]


class ContactReport(NamedTuple):
    """What a folder holds of one contact. `log_troubles` are logs that could not be read."""

    company: str
    path: str
    now: datetime
    held: Held
    log_troubles: tuple[str, ...] = ()


class ContactsReport(NamedTuple):
    """The pairs of one company. `unread` counts mappings that say nothing usable."""

    company: str
    path: str
    now: datetime
    pairs: list[Pair]
    unread: int = 0
