"""What a cure sets aside, why, and what became of it, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.errors import ExitCode
from baileys_tools.sessions.rules.keyfiles import Kind, key_of, kind_of
from baileys_tools.sessions.rules.removals import Outcome

CACHED_FOR = timedelta(minutes=5)
"""How long a bot that caches its keys answers from memory what it last wrote or read, and never looks at the file
(baileys `Utils/auth-utils.js`: `makeCacheableSignalKeyStore`, with `DEFAULT_CACHE_TTLS`)."""


class AsideReason(StrEnum):
    """AsideReason keys are set aside."""

    ASKED = "asked"
    """The operator named it."""
    KEY_GONE = "key-gone"
    """The memory says that everybody has a key of the bot's that is gone: nobody reads the next message."""
    TORN = "torn"
    """Not JSON, so Baileys takes it for missing."""
    NO_SESSION = "no-session"
    """A record without a session in it. Baileys 6 takes it for one, and every message to the contact fails."""
    NO_OPEN_SESSION = "no-open-session"
    """All sessions in the record are closed. Baileys 6 takes it for one, and every message to the contact fails."""
    UNREADABLE = "unreadable"
    """The bot's log says that a message could not be read with it, and none has been since."""


class Aside(NamedTuple):
    """What is set aside together, in this order; where one has to stay, so do those behind it.

    `about` is the group, or the address of the contact's device as names have it. `told` counts the devices that the
    bot will send its key to again. `written_ns` is when the bot last wrote any of it.
    """

    about: str
    why: AsideReason
    keys: tuple[str, ...]
    told: int = 0
    written_ns: int = 0


class CurePlan(NamedTuple):
    """What a cure is to do. `left` says of how many more that are as ill nothing is done in this run."""

    asides: tuple[Aside, ...] = ()
    cost: Cost = Cost()
    left: int = 0

    def only(self, agreed: CurePlan) -> CurePlan:
        """Return what is left of this plan where no more may be done than was agreed to."""
        keys = {key for aside in agreed.asides for key in aside.keys}
        return self._replace(asides=tuple(one for one in self.asides if keys.issuperset(one.keys)))


@dataclass(frozen=True, slots=True)
class CureReport:
    """What a cure did in one company, or would do. `run` names it for undo, None where nothing was set aside.

    `outcomes` and `errors` are by file name; None before anything was done. `declined`: a person said no.
    `log_troubles` is what could not be read of the logs that say what is broken.
    """

    command: str
    company: str
    path: str
    now: datetime
    plan: CurePlan
    undo_window: timedelta
    has_api: bool = False
    run: str | None = None
    outcomes: Mapping[str, Outcome] | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    earlier: str = ""
    declined: bool = False
    dry_run: bool = False
    log_troubles: tuple[str, ...] = ()

    def outcome_of(self, aside: Aside) -> Outcome | None:
        """What became of one aside: the first of its keys that stayed says it, None before anything was done."""
        if self.outcomes is None:
            return None
        found = [self.outcomes.get(key, Outcome.ALREADY_GONE) for key in aside.keys]
        stayed = next((one for one in found if one not in (Outcome.REMOVED, Outcome.ALREADY_GONE)), None)
        return stayed or (Outcome.REMOVED if Outcome.REMOVED in found else Outcome.ALREADY_GONE)

    @property
    def stayed(self) -> Sequence[Aside]:
        """What could not be set aside."""
        fine = (None, Outcome.REMOVED, Outcome.ALREADY_GONE)
        return [aside for aside in self.plan.asides if self.outcome_of(aside) not in fine]

    @property
    def done(self) -> int:
        """How many keys were set aside."""
        outcomes = self.outcomes or {}
        return len({key_of(name) for name, outcome in outcomes.items() if outcome is Outcome.REMOVED})

    @property
    def exit_code(self) -> ExitCode:
        if not self.stayed:
            return ExitCode.DONE
        return ExitCode.FAILED if len(self.stayed) == len(self.plan.asides) else ExitCode.PARTLY_FAILED


def may_be_in_memory(asides: Sequence[Aside], now_ns: int) -> list[Aside]:
    """Return those that a running bot which caches its keys may answer from memory.

    A memory it writes whenever it reads it. A session it may have read a moment ago and not written, when a message
    failed; what it could not read at all it does not keep.
    """
    limit = now_ns - int(CACHED_FOR.total_seconds()) * 1_000_000_000
    return [
        aside
        for aside in asides
        if aside.written_ns > limit
        or (kind_of(aside.keys[0]) is Kind.SESSION and aside.why is not AsideReason.TORN)
    ]
