"""Pre-keys that grow without end, and how fast."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.clock import nanoseconds
from baileys_tools.sessions.rules.counting import pre_key_pool
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.prekeys import (
    GROWN,
    PAIRING_BATCH,
    TOP_UP,
    PreKeyPool,
    bursts_of,
    dense_runs,
)


class Growth(NamedTuple):
    """Pre-keys that grow without end. `per_day` is None where copied files lost their times.

    `low_count`: uploads lie on disk whole, as the server says at every login that it has five or fewer. Otherwise keys
    of retry receipts that nobody answers.
    """

    files: int
    per_day: float | None
    low_count: bool


def growth_of(pool: PreKeyPool, now_ns: int) -> Growth | None:
    """Given the ids on disk, return how they grow without end, None where they do not.

    The rate is that of the last seven days.
    """
    bursts = bursts_of(pool)
    if not bursts:
        ids = dense_runs(frozenset(pool.ids), 2 * PAIRING_BATCH)
        return Growth(len(ids), None, low_count=True) if ids else None
    top_ups = [burst for burst in bursts[1:] if burst.span == len(burst.ids) == TOP_UP]
    asked_again = [burst for burst in bursts if burst.span == 1 and burst.room < TOP_UP]
    low_count = pool.topped_up_by_fives and len(top_ups) * TOP_UP >= len(asked_again)
    ids = frozenset[int]().union(*(burst.ids for burst in (top_ups if low_count else asked_again)))
    lately = [i for i in ids if now_ns - pool.written[i] < _WEEK_NS]
    if len(ids) < GROWN or not lately:
        return None
    days = max(1.0, (now_ns - min(pool.written[i] for i in lately)) / _DAY_NS)
    return Growth(len(ids), len(lately) / days, low_count)


_DAY_NS = 86_400_000_000_000
_WEEK_NS = 7 * _DAY_NS


def growth_findings(company: str, facts: FolderFacts, now: datetime) -> Iterator[Finding]:
    """Given a listing with what `creds.json` says, yield that pre-keys grow without end, where they do."""
    if not isinstance(facts.creds, Creds):
        return
    growth = growth_of(pre_key_pool(facts, facts.creds), nanoseconds(now))
    if growth is None:
        return
    severity = Severity.WARNING if growth.files >= _MANY_PRE_KEYS else Severity.NOTICE
    if growth.per_day is None:
        yield Finding(
            "pre-keys-growing",
            severity,
            company,
            f"{growth.files:,} pre-keys lie there, more than any upload makes, and as a copy made their times equal, "
            "only the server's count in the bot's log can tell which of them it still hands out",
            "They cost room alone, and a cleanup keeps what a server may still hand out. Does the log have "
            f'"pre-keys found on server"? {command("baileys-tools logs --company {}", company)}',
            {"pre_keys": growth.files},
        )
        return
    why = "each is of a retry receipt that nobody answered"
    if growth.low_count:
        said = facts.server
        why = "the bot uploads five more at each login, as the server says that it has " + (
            f"{said.number} (its log, {said.at:%Y-%m-%d %H:%M} UTC)"
            if said is not None and said.number <= TOP_UP
            else "no more than five"
        )
    first = (
        f"Look how often the bot connects ({command('baileys-tools logs --company {}', company)}), as each time makes "
        "five. "
        if growth.low_count
        else ""
    )
    yield Finding(
        "pre-keys-growing",
        severity,
        company,
        f"{growth.files:,} pre-keys lie there that no server hands out any more, {growth.per_day:,.0f} more a day: "
        f"{why}",
        f"{first}They cost room alone, and a cleanup removes them: "
        f"{command('baileys-tools cleanup --company {} --dry-run', company)}",
        {"pre_keys": growth.files, "per_day": round(growth.per_day, 1)},
    )


_MANY_PRE_KEYS = 1_000
