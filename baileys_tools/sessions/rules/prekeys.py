"""Which pre-keys a folder can spare.

A pre-key file is deleted by the bot itself on first use (libsignal `session_cipher.js`:
`decryptPreKeyWhisperMessage` -> `removePreKey`), so each file that is left may still be handed out by the
server, or be named by a message that waits. What the server can still hand out is told by its uploads: Baileys makes
a new one only when the server has five or fewer left, or, on Baileys 7, when its newest id is gone from the disk
(`Socket/socket.js`: `uploadPreKeysToServerIfRequired`). The files of one upload are written together, so where the
times of files are alive, bursts of them are the uploads; where a copy made them equal, how densely ids lie has to do.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from functools import cached_property
from itertools import accumulate, chain, pairwise
from operator import sub
from typing import NamedTuple

from baileys_tools.limits import EMERGENCY_FLOOR

FEWEST_KEPT = EMERGENCY_FLOOR.pre_keys_keep
"""Pre-keys that every limit keeps."""

PAIRING_BATCH = 812
"""Pre-keys that Baileys uploads at pairing since 7.0.0-rc.6 (`Defaults/index.js`: `INITIAL_PREKEY_COUNT`)."""

FIRST_UPLOADS = (30, 50, 200, PAIRING_BATCH)
"""How many pre-keys the clients that are out there upload first: Baileys 6, patched builds, a family of forks, 7."""

DENSE_RUN = 200
"""Ids that a dense run without times spans at least, to be taken for an upload."""

UPLOAD_BATCH = 30
"""The smallest full upload of Baileys 6."""

TOP_UP = 5
"""What Baileys 7 uploads when the server has five or fewer left (`MIN_PREKEY_COUNT`), and so what is left at most of
all earlier uploads when an upload was due."""

LARGE_UPLOAD = 100
"""Ids from which on an upload can only be one to a server that had none left."""

DRAINED_AFTER = 50
"""Ids past a first upload that are used up, from which on it is taken for drained: ten uploads of five."""

WHOLE_TOP_UPS = 10
"""Uploads of five that are on disk whole, from which on the server drops what it was given before."""

GROWN = 100
"""Pre-keys of one kind of growth from which on it is worth a word (`watching/rules/growth.py`)."""

_TOGETHER_NS = 10_000_000_000
"""Files of one upload follow each other within this time. rc14 writes its 812 within 0.07 s; a slow disk takes longer,
and two uploads taken for one only keep more."""

_MERGED = 50
"""Ids that a burst may span beyond the largest upload: the first top-up follows pairing at once."""


class ServerPreKeys(NamedTuple):
    """How many pre-keys the server said it had (`N pre-keys found on server`, at each login), and when."""

    number: int
    at: datetime


class PreKeyPool(NamedTuple):
    """The ids on disk and what creds say of them.

    `topped_up_by_fives` is true for folders of Baileys 7. `written` has when each file was last written, in
    nanoseconds; without it the ids alone have to do. `server` is how many pre-keys the server last said it had, None
    where no log tells. Whoever writes to a bot may write into its log: such a word makes more stay, and nothing go.
    """

    ids: Sequence[int]
    next_id: int | None
    first_unuploaded_id: int | None
    topped_up_by_fives: bool
    written: Mapping[int, int] = {}
    server: ServerPreKeys | None = None


class PreKeyRule(NamedTuple):
    """The verdict on every id. `kept_last` and `kept_unuploaded` were over the limit and stay all the same."""

    removed: frozenset[int]
    guarded: frozenset[int]
    kept_last: frozenset[int]
    kept_unuploaded: frozenset[int]


class Offered(NamedTuple):
    """How many pre-keys the server can still hand out, at most, by what an upload does to its pool.

    Which of the two WhatsApp's server does is not known.
    """

    if_extended: int
    if_replaced: int


_NONE = frozenset[int]()


def apply_pre_key_rule(pool: PreKeyPool, keep: int, *, guard: bool) -> PreKeyRule:
    """Given the ids on disk, return which to remove: as `Evidence.rule`."""
    return Evidence(pool).rule(keep, guard=guard)


class Burst(NamedTuple):
    """Files that were written together, by id. `room` is how many ids the upload that left them can have had."""

    ids: Sequence[int]
    room: int

    @property
    def first(self) -> int:
        return self.ids[0]

    @property
    def last(self) -> int:
        return self.ids[-1]

    @property
    def span(self) -> int:
        return self.last - self.first + 1


def bursts_of(pool: PreKeyPool) -> list[Burst]:
    """Given the ids on disk, return which were written together, in order of ids.

    Nothing where no times are known, or where they tell nothing apart: a copy looks like one upload.
    """
    if not all(map(pool.written.__contains__, pool.ids)):
        return []
    in_time = sorted(zip(map(pool.written.__getitem__, pool.ids), pool.ids, strict=True))
    times = [written for written, _ in in_time]
    cuts = [at for at, gap in enumerate(map(sub, times[1:], times), 1) if gap > _TOGETHER_NS]
    if not cuts:
        return []
    ids = [i for _, i in in_time]
    groups = [ids[start:end] for start, end in pairwise([0, *cuts, len(ids)])]
    merged: list[list[int]] = []
    for group in sorted(map(sorted, groups)):
        # Ids only grow, so bursts that lie across each other tell nothing apart.
        if merged and group[0] < merged[-1][-1]:
            merged[-1] = sorted(merged[-1] + group)
        else:
            merged.append(group)
    bounds = [0, *(group[-1] for group in merged)]
    above = [*(group[0] for group in merged[1:]), _next_id(pool)]
    return [Burst(group, above[i] - bounds[i] - 1) for i, group in enumerate(merged)]


def _next_id(pool: PreKeyPool) -> int:
    return max(pool.next_id or 0, max(pool.ids, default=0) + 1)


class Evidence:
    """What the files tell of the server's pool. Every question is answered for the whole pool, whatever the limit in
    force: else an emergency would shorten a run until the next cleanup no longer sees it.

    Most folders have no pre-key over the limit, so nothing is looked at before it is asked for.
    """

    def __init__(self, pool: PreKeyPool) -> None:
        self._pool = pool

    def rule(self, keep: int, *, guard: bool) -> PreKeyRule:
        """Return which ids to remove: all but the `keep` highest, less three exceptions.

        Never removed are the id `nextPreKeyId - 1`, the only one that Baileys 7 looks for at login
        (`verifyCurrentPreKeyExists`), and ids from `firstUnuploadedPreKeyId` on, which the server has yet to get.
        With `guard`, ids that the server can still hand out stay too. Applied to what it leaves, it finds nothing more.
        """
        pool = self._pool
        if len(pool.ids) <= keep:
            return PreKeyRule(_NONE, _NONE, _NONE, _NONE)
        over_limit = sorted(pool.ids, reverse=True)[keep:]
        last = None if pool.next_id is None else pool.next_id - 1
        unuploaded = pool.first_unuploaded_id
        kept_last = frozenset(i for i in over_limit if i == last)
        kept_unuploaded = frozenset(
            i for i in over_limit if i != last and unuploaded is not None and i >= unuploaded
        )
        spare = frozenset(over_limit) - kept_last - kept_unuploaded
        guarded = self._guarded_of(spare) if guard else _NONE
        return PreKeyRule(spare - guarded, guarded, kept_last, kept_unuploaded)

    def _guarded_of(self, spare: frozenset[int]) -> frozenset[int]:
        """Given the ids that may go, return those that the server can still hand out, as seen once the others are gone.

        What goes changes the bursts and the room between them, so the rest is judged again until nothing more goes:
        else the next cleanup would find what this one made.
        """
        guarded = spare & self.guarded
        while guarded and (going := spare - guarded):
            left = self._pool._replace(ids=[i for i in self._pool.ids if i not in going])
            still = guarded & Evidence(left).guarded
            if still == guarded:
                break
            guarded = still
        return guarded

    @cached_property
    def _ordered(self) -> list[int]:
        return sorted(self._pool.ids)

    @cached_property
    def _next_id(self) -> int:
        return _next_id(self._pool)

    @cached_property
    def _ids(self) -> frozenset[int]:
        return frozenset(self._pool.ids)

    @cached_property
    def _bursts(self) -> list[Burst]:
        return bursts_of(self._pool)

    @cached_property
    def _timed(self) -> frozenset[int]:
        """The ids of bursts that are no larger than an upload."""
        return frozenset(chain.from_iterable(burst.ids for burst in self._bursts if self._is_timed(burst)))

    @cached_property
    def _never_uploaded(self) -> frozenset[int]:
        """One id alone, with too few beside it that are gone, is a key of a retry receipt: no server ever had it."""
        alone = [burst for burst in self._bursts if burst.span == 1 and burst.room < TOP_UP]
        return frozenset(burst.first for burst in alone)

    def _is_timed(self, burst: Burst) -> bool:
        largest = PAIRING_BATCH + _MERGED if self._pool.topped_up_by_fives else UPLOAD_BATCH + TOP_UP
        return burst.span <= largest

    @cached_property
    def _uploads(self) -> list[Burst]:
        """The bursts that are uploads. A single file is rather a retry receipt's: answered ones make room around it,
        and so does a cleanup."""
        smallest = TOP_UP if self._pool.topped_up_by_fives else UPLOAD_BATCH
        return [burst for burst in self._bursts if burst.room >= smallest and len(burst.ids) >= 2]

    @cached_property
    def guarded(self) -> frozenset[int]:
        """The ids that the server can still hand out, all but five at most."""
        first = self._first_offered()
        late = self._by_density() | self._timed if first is None else self._from(first)
        return (late | self._never_reached()) - self._never_uploaded

    def _from(self, first: int) -> frozenset[int]:
        return frozenset(self._ordered[bisect_left(self._ordered, first) :])

    def offered_among(self, ids: Set[int]) -> Offered:
        """Return how many of these the server may hand out. Never too low; what is not known counts."""
        if not ids:
            return Offered(0, 0)
        ids = frozenset(ids) - self._never_uploaded
        # A guard wants a long run; what a cost leaves out must be certain, so here the smallest upload is long enough.
        surely = ids & (self.guarded | (dense_runs(self._ids, UPLOAD_BATCH) - self._timed))
        if self._pool.topped_up_by_fives:
            # Without times, ids past the first upload may be gone for answered retry receipts just as well.
            surely |= {i for i in ids if i <= PAIRING_BATCH} - self._timed
        # What was left when the last upload was due, of all uploads before it.
        extended = len(surely) + min(TOP_UP, len(ids - surely))
        last = self._uploads[-1].first if self._uploads else 0
        replaced = len([i for i in surely if i >= last])
        return Offered(extended, replaced)

    def _first_offered(self) -> int | None:
        """Return the first id of the oldest upload that the server can still have more than five of.

        An upload whose preceding id is still on disk was due because the server had run low, and so was any on
        Baileys 6. The one before it is kept as well: what is left of an upload does not say where it began. Where the
        server said that it has some, these may be of any upload, unless it drops what it was given before: then they
        are the newest.
        """
        base = self._base()
        if base is None:
            return None
        known = base.first if base is not self._bursts[0] else None
        said = self._pool.server.number if self._pool.server is not None else 0
        if not self._is_drained(base) or (said and not self._drops):
            return known
        newest = self._newest(said + TOP_UP) if said else self._next_id
        uploads = [upload for upload in self._uploads if upload.first >= base.first]
        for before, upload in reversed(list(pairwise(uploads))):
            if not self._pool.topped_up_by_fives or upload.first - 1 in self._ids:
                return min(before.first, newest)
        return known

    def _newest(self, number: int) -> int:
        """Return the lowest of so many uploaded ids, counted from the newest."""
        uploaded = [i for i in self._ordered if i not in self._never_uploaded]
        return uploaded[-number] if number < len(uploaded) else 0

    def _base(self) -> Burst | None:
        """Return the upload that all others top up: the latest large one, else the first there is."""
        if not self._bursts:
            return None
        by_fives = self._pool.topped_up_by_fives
        large = [
            b for b in self._bursts[1:] if by_fives and LARGE_UPLOAD <= b.span <= PAIRING_BATCH + _MERGED
        ]
        return large[-1] if large else self._bursts[0]

    def _is_drained(self, base: Burst) -> bool:
        """Whether enough ids past an upload are used up, or lie there unused, for it to have run low.

        Keys of retry receipts take ids too, and those that are answered are gone. So an upload of which over half is
        there has not run low, whatever came after it.
        """
        if not self._pool.topped_up_by_fives and base.span <= 2 * UPLOAD_BATCH:
            return True
        if self._drops:
            return True
        size = next((size for size in FIRST_UPLOADS if size >= base.span), base.span)
        end = max(base.last, base.first + size - 1)
        return len(base.ids) * 2 <= size and self._used_up_past(end) > DRAINED_AFTER

    @cached_property
    def _drops(self) -> bool:
        """Whether uploads of five that were due by the server's count lie on disk whole: it has dropped them, or nobody
        asks for any. One whose preceding id is gone was due for that, whatever the server had."""
        whole = [burst for burst in self._bursts[1:] if burst.span == len(burst.ids) == TOP_UP]
        due = [burst for burst in whole if burst.first - 1 in self._ids]
        return self._pool.topped_up_by_fives and len(due) >= WHOLE_TOP_UPS

    def _never_reached(self) -> frozenset[int]:
        """Return the lowest ids where these few are all there: a server that hands out the newest first never came to
        them before the next upload was due."""
        lowest = self._ordered[: 2 * TOP_UP]
        run = [i for at, i in enumerate(lowest) if i == lowest[0] + at]
        is_one = TOP_UP - 2 <= len(run) < 2 * TOP_UP and len(self._ordered) > len(run)
        return frozenset(run[:TOP_UP]) if is_one and not self._drops else _NONE

    def _by_density(self) -> frozenset[int]:
        """Return, of ids without times, those that lie as densely as only unused uploads do.

        On Baileys 7 any of the ids may be what is left of a large upload, as long as too few ids after it are used up
        for it to have run low.
        """
        found = dense_runs(self._ids, DENSE_RUN)
        if self._pool.topped_up_by_fives:
            found |= self._of_a_first_upload()
            if (made := self._made) >= 2 * PAIRING_BATCH:
                ends = {i: min(i + PAIRING_BATCH - 1, made) for i in self._ids if i > PAIRING_BATCH}
                found |= {i for i, end in ends.items() if self._has_not_run_low(end)}
        return found - self._timed

    def _of_a_first_upload(self) -> frozenset[int]:
        sizes = [size for size in FIRST_UPLOADS[1:] if size <= self._made and self._has_not_run_low(size)]
        return frozenset(self._ordered[: bisect_right(self._ordered, max(sizes, default=0))])

    @property
    def _made(self) -> int:
        """The last id that was made, as far as creds say."""
        return (self._pool.next_id or 0) - 1

    def _has_not_run_low(self, end: int) -> bool:
        return self._used_up_past(end) <= DRAINED_AFTER

    def _used_up_past(self, end: int) -> int:
        """Return how many ids after `end` were made and are gone."""
        made = self._next_id - 1 - end
        return made - (len(self._ordered) - bisect_right(self._ordered, end)) if made > 0 else 0


def dense_runs(ids: Set[int], length: int) -> frozenset[int]:
    """Given ids, return those inside some span of `length` or more ids of which over half are present.

    With `g(k) = 2k - id(k)` over the sorted ids, the span from the i-th to the j-th id is over half present
    just when `g(j) >= g(i)`; the widest such j for each i falls out of the running maximum from the right.
    """
    ordered = sorted(ids)
    if len(ordered) * 2 <= length:
        return _NONE
    if length > 1 and min(map(sub, ordered[1:], ordered)) > 2:
        # All so far apart that no two make a dense span: what a drained folder has.
        return _NONE
    g = [2 * k - i for k, i in enumerate(ordered)]
    # highest[k] is the maximum of g[k:]; it never rises, so it can be searched.
    highest = list(accumulate(reversed(g), max))
    found: set[int] = set()
    done = 0
    for first, smallest in enumerate(ordered):
        if done == len(ordered):
            break
        # The last j with max(g[j:]) >= g[first], counted from the right.
        widest = len(g) - 1 - bisect_left(highest, g[first])
        if widest >= first and ordered[widest] - smallest + 1 >= length:
            found.update(ordered[max(first, done) : widest + 1])
            done = max(done, widest + 1)
    return frozenset(found)
