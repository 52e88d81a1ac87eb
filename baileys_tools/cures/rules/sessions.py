"""Which sessions are broken, and what is set aside with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from baileys_tools.cleanup.rules.cost import Cost, sessions_missed
from baileys_tools.cures.rules.asides import Aside, AsideReason, CurePlan
from baileys_tools.cures.rules.unreadable import Device, Evidence, is_over
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.node_json import Refusal, UnreadJson, buffer, read_json, whole_number

LARGEST_SESSION = 4 << 20
"""Bytes. libsignal keeps 40 sessions in a record (`session_record.js`), which come to some 200 KB."""


class SessionFile(NamedTuple):
    """What a session file holds. `why` is None for one that the bot can go on with.

    `used_ms` is when a message was last read with it, or when it was made: libsignal moves that on reading alone.
    """

    why: AsideReason | None = None
    sessions: int = 0
    used_ms: int | None = None


def read_session(content: bytes) -> SessionFile:
    """Given the bytes of a session file, return what the bot finds in it. What cannot be judged counts as whole."""
    try:
        record = read_json(content)
    except UnreadJson as unread:
        return SessionFile(None if unread.refusal is Refusal.TOO_LARGE else AsideReason.TORN)
    try:
        if (inner := buffer(record)) is not None:
            record = read_json(inner)  # of a fork that keeps records as bytes
    except UnreadJson:
        return SessionFile()
    if not isinstance(record, dict):
        # A list or a text is nothing that libsignal takes for a record; null and the like are no session at all.
        return SessionFile(AsideReason.TORN if not record else None)
    entries = record.get("_sessions")
    found = list(entries.values()) if isinstance(entries, dict) else []
    infos = [
        info for one in found if isinstance(one, dict) and isinstance(info := one.get("indexInfo"), dict)
    ]
    if len(infos) < len(found):
        return SessionFile(sessions=len(found))
    times = [
        moment for info in infos for field in ("used", "created") if (moment := whole_number(info.get(field)))
    ]
    why = None
    if not infos:
        why = AsideReason.NO_SESSION
    elif all(info.get("closed") != -1 for info in infos):
        why = AsideReason.NO_OPEN_SESSION
    return SessionFile(why, len(infos), max(times, default=None))


class SessionName(NamedTuple):
    """Whose session a file is: `domain` is what Baileys puts behind the user, "" for a phone number (and v6's LIDs)."""

    user: str
    domain: str
    device: int

    @property
    def is_lid(self) -> bool:
        return self.domain in ("1", "129")

    @property
    def who(self) -> Device:
        """The device, as logs and device lists name it."""
        return Device(self.user, self.device)


def parse_session(name: str) -> SessionName:
    """Given the name of a `session` file, return whose it is."""
    address, _, device = name[8:-5].rpartition(".")
    user, _, domain = address.rpartition("_") if "_" in address else (address, "", "")
    return SessionName(user, domain, int(device))


def address_of(name: str) -> str:
    """Given the name of a `session` file, return the address in it, such as `270996591579169_1.0`."""
    return name[8:-5]


Twin = Callable[[str], str | None]
"""Given a user by phone number or LID, the same one by the other; None where nothing tells."""


def devices_of(sessions: Iterable[str]) -> dict[Device, list[str]]:
    found: dict[Device, list[str]] = {}
    for name in sessions:
        found.setdefault(parse_session(name).who, []).append(name)
    return found


def plan_renewal(
    facts: FolderFacts, ill: Mapping[str, AsideReason], twin: Twin, most: int | None = None
) -> CurePlan:
    """Given a folder and which of its sessions are to go and why, in order of urgency, return what is set aside.

    With a session goes its twin, the one of the same device under the other address: Baileys 7 moves what stands under
    a phone number over the LID's (`Signal/libsignal.js`: `migrateSession`), and an older state would be there again. It
    goes first, so that it never stays alone. `most` devices are renewed in this run.
    """
    by_device = devices_of(facts.of(Kind.SESSION))
    asides: list[Aside] = []
    seen: set[str] = set()
    left = 0
    for name, why in ill.items():
        if name in seen:
            continue
        who = parse_session(name).who
        other = twin(who.user)
        names = [*by_device.get(who, ()), *(by_device.get(Device(other, who.device), ()) if other else ())]
        seen.update(names)
        if most is not None and len(asides) >= most:
            left += 1
            continue
        keys = tuple(sorted(names, key=lambda one: (parse_session(one).is_lid, one)))
        written = max(facts.stats[key].st_mtime_ns for key in keys)
        asides.append(Aside(address_of(keys[-1]), why, keys, written_ns=written))
    late = sum(bool(sessions_missed(facts, one.keys)) for one in asides)
    return CurePlan(tuple(asides), Cost(contacts=late), left)


def broken_sessions(
    sessions: Sequence[str],
    contents: Callable[[str], SessionFile],
    evidence: Evidence,
    twin: Twin,
) -> dict[str, AsideReason]:
    """Given sessions, what each holds and what the log says, return those that are broken and why, the logged first.

    The log may name a contact by the address under which no session stands, so it speaks of the twin as well. What has
    been read since with either of them is over.
    """
    files = {name: contents(name) for name in sessions}
    by_device = devices_of(sessions)
    named: dict[str, float] = {}
    for device, unreadable in evidence.items():
        other = twin(device.user)
        names = [
            *by_device.get(device, ()),
            *(by_device.get(Device(other, device.device), ()) if other is not None else ()),
        ]
        used = max((moment for name in names if (moment := files[name].used_ms)), default=None)
        if not is_over(unreadable, used):
            named |= {name: max(unreadable.last or 0.0, named.get(name, 0.0)) for name in names}
    logged = sorted(named, key=lambda name: (-named[name], name))
    found = {name: files[name].why or AsideReason.UNREADABLE for name in logged}
    return found | {
        name: why for name in sessions if name not in found and (why := files[name].why) is not None
    }
