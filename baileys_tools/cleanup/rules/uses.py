"""When each key of a folder was used: what every cleanup sees and notes, so that `policy try` can say what another rule
would have cost.

Names of files hold the numbers of contacts, so a key and its group are remembered by digests. Times are whole minutes
since 1970.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from baileys_tools.cleanup.rules.ages import group_of
from baileys_tools.cleanup.rules.returners import FORGOTTEN_AFTER, mark
from baileys_tools.sessions.rules.clock import nanoseconds
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.senderkeys import is_memory, sort_by_owner

MINUTE_NS = 60_000_000_000
DAY = 24 * 60
"""A day, in minutes. A key that is used again within one is in use: no limit is shorter."""
MOST_KEYS = 3_000
"""Of a folder with more of them nothing is noted: every cleanup reads all that is."""

SESSION, PEER, OWN, OWN_BY_LID, MEMORY = "s", "p", "o", "l", "m"
"""What a key is: one letter each, as they are kept thousands of times."""


class Use(NamedTuple):
    """One key: what it is, of which group (a digest, "" for a session), from when on it is known, when it was last
    used, and in which times of a day or longer before that it was not: start and end, one after the other."""

    what: str
    group: str
    first: int
    last: int
    gaps: tuple[int, ...] = ()

    def written_at(self, minute: int) -> int:
        """Return when it was last used, as somebody who looked at that minute would have found it.

        Of a key in use nothing but its last time is known: it is taken to be used every day at that hour.
        """
        since = self.first
        for start, end in zip(self.gaps[::2], self.gaps[1::2], strict=True):
            if start <= minute < end:
                return start
            if end <= minute:
                since = end
        return max(since, minute - (minute - self.last) % DAY) if minute < self.last else self.last

    def used_before(self, last: int) -> int:
        """Return when it was used before the use at that minute, to a day; 0 where no use before it is known."""
        for start, end in zip(self.gaps[::2], self.gaps[1::2], strict=True):
            if end == last:
                return start
        return max(self.first, last - DAY) if last > self.first else 0


class Uses(NamedTuple):
    """The keys of a folder by their digests, from when on they are known, and when the last look was."""

    since: int = 0
    looked: int = 0
    by_mark: Mapping[str, Use] = {}


class UsesSeen(NamedTuple):
    """What one look has to write down: the keys of which something changed, by their digests, and the digests of those
    that are forgotten; None where nothing from before holds."""

    since: int
    looked: int
    changed: Mapping[str, Use]
    forgotten: tuple[str, ...] | None


def read_uses(looks: Any, rows: Iterable[Sequence[Any]]) -> Uses:
    """Given what the state has, return it; nothing known where it is nothing that we wrote."""
    try:
        since, looked = looks
        found = {
            str(one): Use(str(what), str(group), int(first), int(last), tuple(map(int, gaps)))
            for one, what, group, first, last, gaps in rows
        }
        return Uses(int(since), int(looked), found)
    except (TypeError, ValueError):
        return Uses()


def uses_rows(by_mark: Mapping[str, Use]) -> "list[tuple[str, str, str, int, int, list[int]]]":
    """Return keys as the rows of the state."""
    return [(one, use.what, use.group, use.first, use.last, list(use.gaps)) for one, use in by_mark.items()]


def look_again(before: Uses, folder: FolderFacts, now: datetime) -> UsesSeen:
    """Given what was known of the keys of a folder and what stands there now, return what to write down."""
    after = seen_again(before, folder, now)
    known = before.by_mark
    changed = {one: use for one, use in after.by_mark.items() if known.get(one) != use}
    forgotten = tuple(one for one in known if one not in after.by_mark)
    return UsesSeen(after.since, after.looked, changed, forgotten if before.looked and after.looked else None)


def minutes(moment: datetime) -> int:
    """Given an aware time, return it in whole minutes since 1970."""
    return nanoseconds(moment) // MINUTE_NS


def seen_again(uses: Uses, folder: FolderFacts, now: datetime) -> Uses:
    """Given what is known of the keys of a folder and what stands there now, return what is known after this look.

    A key that was used again after a day or more has had a gap, whether its file stood there meanwhile or not. It ended
    after the look before, at the latest when the file was written; of a look longer ago than a day nothing tells how
    often it was used since, so the gap counts up to a day after that look.
    """
    at = minutes(now)
    found = dict(uses.by_mark)
    for name, what in _kinds(folder):
        one, written = mark(name), min(at, folder.stats[name].st_mtime_ns // MINUTE_NS)
        use = found.get(one)
        if use is None:
            group = "" if what == SESSION else mark(group_of(name))[:8]
            found[one] = Use(what, group, written, written)
        elif written > use.last:
            end = min(written, max(uses.looked, use.last) + DAY)
            gap = (use.last, end) if end - use.last >= DAY else ()
            found[one] = use._replace(last=written, gaps=(*use.gaps, *gap))
    oldest = at - minutes_of(FORGOTTEN_AFTER)
    kept = {one: _without_old(use, oldest) for one, use in found.items() if use.last > oldest}
    if len(kept) > MOST_KEYS:
        return Uses()
    since = max(uses.since, oldest) if uses.looked else at
    return Uses(since, at, kept)


def used_before(folder: FolderFacts, uses: Uses) -> dict[str, int]:
    """Given a folder and what is known after a look at it, return by name when each key was used before its last use.

    Keys that were used once, as far as is known, are left out.
    """
    found = {name: uses.by_mark.get(mark(name)) for name, _ in _kinds(folder)}
    return {name: before for name, use in found.items() if use and (before := use.used_before(use.last))}


def days_known(uses: Uses, now: datetime) -> int:
    """Return for how many whole days the use of the keys is known."""
    return (minutes(now) - uses.since) // DAY if uses.looked else 0


def minutes_of(length: timedelta) -> int:
    """Given a duration, return it in whole minutes."""
    return int(length.total_seconds()) // 60


def _without_old(use: Use, oldest: int) -> Use:
    while use.gaps and use.gaps[1] <= oldest:
        use = use._replace(gaps=use.gaps[2:])
    return use


def _kinds(folder: FolderFacts) -> Iterator[tuple[str, str]]:
    """Return the names of a folder's keys that go by age, each with what it is."""
    if not isinstance(folder.creds, Creds):
        return
    for name in folder.of(Kind.SESSION):
        yield name, SESSION
    keys = sort_by_owner(
        folder.of(Kind.SENDER_KEY), folder.of(Kind.SENDER_KEY_MEMORY), folder.creds, folder.owned_by_content
    )
    for name in keys.peers:
        yield name, PEER
    for unit in keys.units:
        for name in unit:
            yield name, MEMORY if is_memory(name) else OWN_BY_LID if "_" in name else OWN
