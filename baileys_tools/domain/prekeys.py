"""Which pre-keys a folder can spare.

A pre-key file is deleted by the bot itself on first use (libsignal `session_cipher.js`:
`decryptPreKeyWhisperMessage` -> `removePreKey`), so each file that is left may still be handed out by the
server, or be named by a message that waits. Two things tell the ones the server has from mere leftovers:
how densely their ids lie, and, on Baileys 7, how far the counter has moved since pairing.
"""

from bisect import bisect_left
from collections.abc import Sequence, Set
from itertools import accumulate
from operator import sub
from typing import NamedTuple

FEWEST_KEPT = 30
"""Pre-keys that every limit keeps."""

DENSE_RUN = 200
"""Ids that a dense run spans at least, for the batch guard."""

PAIRING_BATCH = 812
"""Pre-keys that Baileys uploads at pairing since 7.0.0-rc.6 (`Defaults/index.js`: `INITIAL_PREKEY_COUNT`)."""

DRAINED_AFTER = 50
"""Ids past the pairing upload from which on it is taken for drained: ten uploads of five."""

UPLOAD_BATCH = 30
"""The smallest full upload (`INITIAL_PREKEY_COUNT` of Baileys 6)."""


class PreKeyPool(NamedTuple):
    """The ids on disk and what creds say of them.

    `topped_up_by_fives` is true for folders of Baileys 7, which uploads 5 new pre-keys each time the server
    has 5 or fewer left (`Socket/socket.js`: `uploadPreKeysToServerIfRequired`).
    """

    ids: Sequence[int]
    next_id: int | None
    first_unuploaded_id: int | None
    topped_up_by_fives: bool


class PreKeyRule(NamedTuple):
    """The verdict on every id. `kept_last` and `kept_unuploaded` were over the limit and stay all the same."""

    removed: frozenset[int]
    guarded: frozenset[int]
    kept_last: frozenset[int]
    kept_unuploaded: frozenset[int]


_NONE = frozenset[int]()


def apply_pre_key_rule(pool: PreKeyPool, keep: int, *, guard: bool) -> PreKeyRule:
    """Given the ids on disk, return which to remove: all but the `keep` highest, less three exceptions.

    Never removed are the id `nextPreKeyId - 1`, the only one that Baileys 7 looks for at login
    (`verifyCurrentPreKeyExists`), and ids from `firstUnuploadedPreKeyId` on, which the server has yet to get.
    With `guard`, ids that the server most likely still hands out stay too.
    """
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
    guarded = spare & _guarded(pool) if guard else _NONE
    return PreKeyRule(spare - guarded, guarded, kept_last, kept_unuploaded)


def may_be_guarded(count: int, pool: PreKeyPool) -> bool:
    """Whether any of `count` pre-keys can be guarded at all, told without their ids: too few make no dense run."""
    return count * 2 > DENSE_RUN or _is_fresh(pool)


def _guarded(pool: PreKeyPool) -> frozenset[int]:
    """Return the ids that the server most likely still hands out.

    Judged by what the strictest limit would give up, whatever the limit in force: else an emergency would
    shorten a run so far that the next run no longer sees it.
    """
    strictest = apply_pre_key_rule(pool, FEWEST_KEPT, guard=False).removed
    return dense_runs(strictest, DENSE_RUN) | _left_of_pairing(pool)


def still_offered(ids: Set[int], pool: PreKeyPool) -> frozenset[int]:
    """Given ids that are to go, return those that the server may still hand out to a new chat.

    A guard must not hold back leftovers, so it wants a long run among what would go. A stated cost must not be
    too low, so here the smallest upload is long enough, and what stays of the run counts as well.
    """
    return dense_runs(frozenset(pool.ids), UPLOAD_BATCH) & ids | _left_of_pairing(pool) & ids


def _left_of_pairing(pool: PreKeyPool) -> frozenset[int]:
    """Return the ids of the pairing upload, as long as the server still hands them out.

    Once it had run low, Baileys 7 would have uploaded more, and the counter would stand well past the batch.
    """
    return frozenset(i for i in pool.ids if i <= PAIRING_BATCH) if _is_fresh(pool) else _NONE


def _is_fresh(pool: PreKeyPool) -> bool:
    """Whether the server still hands out the pairing upload, as far as the counter tells."""
    if not pool.topped_up_by_fives or pool.next_id is None:
        return False
    return PAIRING_BATCH < pool.next_id <= PAIRING_BATCH + 1 + DRAINED_AFTER


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
        # The last j with max(g[j:]) >= g[first], counted from the right.
        widest = len(g) - 1 - bisect_left(highest, g[first])
        if widest >= first and ordered[widest] - smallest + 1 >= length:
            found.update(ordered[max(first, done) : widest + 1])
            done = max(done, widest + 1)
    return frozenset(found)
