"""When a bot was off: time in which nothing of its folder was written is no age of its files.

While a bot is off nobody's key grows old: what was sent meanwhile waits at the server, made with the very keys that the
folder has. So the age of a file is the time since its last write less the silences after it. The state's observations
know them; without those the folder's own times have to do, and a doubt makes files younger, which is the safe side.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import sub
from typing import NamedTuple

from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import WRITTEN_AGAIN

HOUR_NS = 3_600 * 1_000_000_000

SILENT_FROM_NS = 24 * HOUR_NS
"""A shorter gap is part of a life: whoever works by day is silent at night. A bot that is on writes more often than
once a day (`creds.json` at each login, sessions and sender-keys with each message). A quiet weekend counts, so that
files of a bot that rests on weekends become old in four days where others take three, and no slower."""

BACK_SINCE_NS = 6 * HOUR_NS
"""For so long a bot that writes again may still be reading what waited for it. A bot that was on all the time has
files that it wrote before, as every chat has an hour of its own."""


class Silence(NamedTuple):
    """A time in which the bot wrote nothing, in nanoseconds since 1970."""

    start_ns: int
    end_ns: int


class Seen(NamedTuple):
    """What an observation says: when the folder was looked at, and when the bot had last written. In nanoseconds."""

    at_ns: int
    written_ns: int


def silences(written_ns: Iterable[int], seen: Sequence[Seen], now_ns: int) -> tuple[Silence, ...]:
    """Given when a bot wrote the files of its folder and what observations say, return its silences, oldest first.

    A gap between two writes is one where an observation fell into it, up to the last that did, or to its end where that
    is less than a day later. Of gaps that nobody observed only the last can be told from a life whose older traces were
    written over: the one that lasts until now, or ended in the last hours.
    """
    writes = sorted([*written_ns, *[one.written_ns for one in seen]])
    # A time in the future counts as now: the bot writes while we look, and clocks are set.
    future = len(writes) - bisect_right(writes, now_ns)
    if future:
        writes[-future:] = [now_ns] * future
    if not writes:
        return ()
    found = _observed(writes, sorted([one.at_ns for one in seen if one.at_ns <= now_ns])) if seen else []
    at = bisect_right(writes, now_ns - BACK_SINCE_NS)
    before = writes[at - 1] if at else None
    back = writes[at] if at < len(writes) else now_ns
    if before is not None and back - before > SILENT_FROM_NS:
        # It may have been observed in part.
        found = [silence for silence in found if silence.end_ns <= before]
        found.append(Silence(before, back))
    return tuple(found)


def _observed(writes: Sequence[int], looks: Sequence[int]) -> list[Silence]:
    found = []
    at = 0
    gaps = [place for place, gap in enumerate(map(sub, writes[1:], writes)) if gap > SILENT_FROM_NS]
    for before, after in ((writes[place], writes[place + 1]) for place in gaps):
        while at < len(looks) and looks[at] < after:
            at += 1
        last = looks[at - 1] if at else before
        end = after if after - last <= SILENT_FROM_NS else last
        if last > before and end - before > SILENT_FROM_NS:
            found.append(Silence(before, end))
    return found


def silent_since(silences: Sequence[Silence], moment_ns: int) -> int:
    """Given silences and when a file was last written, return for how many nanoseconds the bot was off since."""
    return sum(max(0, silence.end_ns - max(silence.start_ns, moment_ns)) for silence in silences)


def lived_ago(silences: Sequence[Silence], length_ns: int, now_ns: int) -> int:
    """Given silences, return the moment since which the bot has lived for `length_ns`.

    That is the beginning of a silence where several moments fit: what was written in it is no older than its end.
    """
    moment_ns, left_ns = now_ns, length_ns
    for silence in reversed(silences):
        lived_ns = moment_ns - silence.end_ns
        if lived_ns > left_ns:
            break
        left_ns -= lived_ns
        moment_ns = silence.start_ns
    return moment_ns - left_ns


def last_write(folder: FolderFacts, seen: Sequence[Seen], now_ns: int) -> int | None:
    """Return when the bot last wrote as far as the folder and observations tell; None where nothing does."""
    moments = (*rewritten(folder), *(one.written_ns for one in seen))
    return min(max(moments), now_ns) if moments else None


def rewritten(folder: FolderFacts) -> list[int]:
    """Return when the files that the bot writes again and again were last written, in nanoseconds since 1970."""
    stats = folder.stats
    return [stats[name].st_mtime_ns for kind in WRITTEN_AGAIN for name in folder.of(kind) if name in stats]
