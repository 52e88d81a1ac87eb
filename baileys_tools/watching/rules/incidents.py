"""How long a bot was connected, how long it took to bring it back, and how often it reconnected. Pure.

**Time that nobody watched is neither up nor down.** A look says how the bot is until the next look, for 15 minutes at
most; what lies beyond is unknown and in no figure. Uptime is connected time over connected and disconnected time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.bots.rules.log_events import CLOSE_REASONS, LogFacts
from baileys_tools.sessions.rules.creds import CredsState

LONGEST_STEP = timedelta(minutes=15)
"""How long a look is believed: cron looks every minute to every ten."""

UPTIME_GOAL = 0.999
RECOVERY_GOAL = timedelta(minutes=5)
LONG = timedelta(days=30)


class Link(StrEnum):
    """How a bot was at one look. The values are kept in the state."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Spell(NamedTuple):
    """Seconds of one day (UTC, "2026-01-15") that a bot is known to have been connected, or not."""

    day: str
    up: float
    down: float


class IncidentEntry(NamedTuple):
    """One thing that happened in an incident. No text holds a secret."""

    at: datetime
    what: str
    detail: str


class Whose(NamedTuple):
    """A company by its name and its place ("" where nobody knows it)."""

    company: str
    place: str


class Incident(NamedTuple):
    """A time of trouble of one company; `closed` is None while it lasts.

    `place` is where its session stands, "" where a version before kept the name alone.
    """

    id: int
    company: str
    opened: datetime
    closed: datetime | None
    cause: str
    place: str = ""

    @property
    def whose(self) -> Whose:
        return Whose(self.company, self.place)


class Episode(NamedTuple):
    """One time of trouble; `closed` is None while it lasts."""

    opened: datetime
    closed: datetime | None


class Service(NamedTuple):
    """How well a bot served over a window; a figure is None where nothing is known of it.

    `uptime` is a share of the known time, `known` a share of the window. `recovery` is the mean length of the
    incidents that ended in the window, `reconnects` the mean of a day. `most_reconnects` is its
    goal, `logs.reconnects_per_day`.
    """

    window: timedelta
    uptime: float | None
    known: float
    recovery: timedelta | None
    incidents: int
    reconnects: float | None
    most_reconnects: int

    @property
    def missed(self) -> tuple[str, ...]:
        """Which goals were missed: "uptime", "recovery", "reconnects"."""
        found = []
        if self.uptime is not None and self.uptime < UPTIME_GOAL:
            found.append("uptime")
        if self.recovery is not None and self.recovery > RECOVERY_GOAL:
            found.append("recovery")
        if self.reconnects is not None and self.reconnects > self.most_reconnects:
            found.append("reconnects")
        return tuple(found)


def link_of(connection: str, log: LogFacts, running: bool | None = None) -> Link:
    """Given what the API says ("" when nobody asked), the log and whether its process runs, return how the bot is.

    The API's word goes first. Where neither that nor the log ever tells that a bot is up, nor is it ever down.
    """
    if connection == "connected":
        return Link.UP
    if connection in ("disconnected", "connecting"):
        return Link.DOWN
    opened = log.read and log.opened is not None
    if not opened and not connection:
        return Link.UNKNOWN
    if running is False or (opened and any(event in log.since_opened for event in CLOSE_REASONS)):
        return Link.DOWN
    # An opening in the log outlives the bot, and an API that does not answer may be that of a dead one.
    return Link.UNKNOWN if connection else Link.UP


def spells_between(before: datetime, link: Link, now: datetime) -> Iterator[Spell]:
    """Given when a bot was last looked at and how it was, yield the known seconds up to `now`, by day."""
    end = min(now, before + LONGEST_STEP)
    if link is Link.UNKNOWN:
        return
    start = before.astimezone(UTC)
    while start < end:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=1)
        until = min(end, midnight)
        seconds = (until - start).total_seconds()
        yield Spell(
            f"{start:%Y-%m-%d}", seconds if link is Link.UP else 0.0, seconds if link is Link.DOWN else 0.0
        )
        start = until


def in_trouble(
    link: Link,
    creds: CredsState,
    running: bool | None = None,
    *,
    alone: bool = False,
    is_told: bool = False,
    nobody_knows: bool = False,
) -> bool | None:
    """Whether a bot that was linked is in trouble: None where that is not known, so that an incident stays open.

    `running` is whether the bot's process runs. With it `alone`, where no API is asked and no log shows connections,
    a bot is well as long as that runs. `is_told`: a finding says that it is away. `nobody_knows`: neither API nor
    process nor log is named, so it is well where nothing else says that it is not.
    """
    if is_told or creds.is_lost(was_linked=True) or link is Link.DOWN:
        return True
    if link is Link.UP:
        return False
    if running is False:
        return True
    return False if (running and alone) or nobody_knows else None


def service(
    spells: Iterable[Spell],
    episodes: Sequence[Episode],
    reconnects_by_day: Mapping[str, int],
    now: datetime,
    most_reconnects: int,
    window: timedelta = LONG,
) -> Service:
    """Given what is known of a bot, return how well it served in the whole days of the window and today.

    `reconnects_by_day` has every day of which logs are known, also those without a reconnect.
    """
    since = now - window
    first = f"{since:%Y-%m-%d}"
    inside = [spell for spell in spells if spell.day >= first]
    up, down = sum(spell.up for spell in inside), sum(spell.down for spell in inside)
    ended = [
        one.closed - one.opened for one in episodes if one.closed is not None and since <= one.closed <= now
    ]
    days = [count for day, count in reconnects_by_day.items() if day >= first]
    return Service(
        window,
        up / (up + down) if up + down else None,
        min(1.0, (up + down) / window.total_seconds()),
        sum(ended, timedelta()) / len(ended) if ended else None,
        sum(one.closed is None or one.closed >= since for one in episodes),
        sum(days) / len(days) if days else None,
        most_reconnects,
    )
