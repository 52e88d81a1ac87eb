"""What one run of recover has to work with, and a look at one company."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.bots.asking import bot_api_for, process_of
from baileys_tools.bots.bot_facts import BotSeen, look_at_bot
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.bots.rules.diagnosis import Cause, Confidence, Diagnosis, diagnose
from baileys_tools.bots.stopped import LeftStopped
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError
from baileys_tools.recovery.rules.bak import Proof
from baileys_tools.recovery.rules.recovery import Means, RecoveryLimits
from baileys_tools.recovery.rules.recovery_report import CompanyRecovery, Ending
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.units import format_duration, printable

if TYPE_CHECKING:
    from baileys_tools.bots.process import Process
    from baileys_tools.bots.rules.process import ProcessFacts
    from baileys_tools.recovery.from_bak import Bak
    from baileys_tools.sessions.rules.snapshot import SnapshotInfo
    from baileys_tools.state.database import State


Say = Callable[[str], None]


@dataclass(slots=True)
class RecoverJob:
    """What one run has to work with. `restarts_shared`: also a process that other companies live in.

    `alone` keeps other runs out while steps are taken; each step looks again first.
    """

    settings: Settings
    state: State
    now: datetime
    say: Say
    restarts_shared: bool = False
    alone: Callable[[], AbstractContextManager[None]] = nullcontext
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    root: Root | None = None
    companies: Sequence[Company] = ()
    restarted: set[Process] = field(default_factory=set)
    left: dict[str, LeftStopped] = field(default_factory=dict)
    """What runs that were killed have stopped, by company."""
    living_in: Mapping[Process, int] = field(default_factory=dict)
    """By process how many companies' bots live in it."""

    @property
    def limits(self) -> RecoveryLimits:
        """How patient the steps are."""
        recover = self.settings.recover
        return RecoveryLimits(recover.tries, format_duration(recover.wait))


class AskedBefore(NamedTuple):
    """What was asked once for all companies before each is looked at; None for what has to be asked anew."""

    connection: Connection | None = None
    process: ProcessFacts | None = None
    looks: Mapping[str, Any] | None = None


_NOTHING = AskedBefore()


def look_at_company(
    job: RecoverJob, company: Company, asked: AskedBefore = _NOTHING
) -> tuple[BotSeen, Diagnosis, Means]:
    """Return what is seen of a bot, why it is away, and what could be done; `asked` is what was asked before."""
    assert job.root is not None
    now = job.clock()
    newest = _newest_snapshot(job.settings, job.root, company)
    seen = look_at_bot(
        job.settings,
        job.root,
        company,
        job.state,
        now,
        had_snapshot=newest is not None,
        connection=asked.connection,
        process=asked.process,
        looks=asked.looks,
    )
    return seen, diagnose(seen.facts, now), _means(job, company, seen, newest)


def _means(job: RecoverJob, company: Company, seen: BotSeen, newest: SnapshotInfo | None) -> Means:
    settings = job.settings
    api = bot_api_for(settings, company.id)
    process = process_of(settings, company.id)
    bak = _bak(job, company, seen)
    shared = job.living_in[process] - 1 if process is not None else 0
    allowed = process is not None and process.can_restart and settings.for_company(company.id).process.restart
    # What answers, or runs by its manager's word, would write over what comes back.
    answers = seen.connection is not None and seen.connection.state is not ConnectionState.UNKNOWN
    stopped = seen.process.running is False if seen.process is not None else not answers
    return Means(
        can_see=seen.connection is not None or seen.facts.log.shows_connections,
        can_reconnect=api is not None and api.offers("reconnect"),
        can_restart=allowed and process not in job.restarted and (job.restarts_shared or not shared),
        shared_with=shared,
        has_snapshot=newest is not None,
        lacks_key=newest is not None and newest.encrypted and job.settings.backup.identity_file is None,
        stopped=stopped,
        unseen=stopped and seen.process is None,
        can_stop=allowed and not shared,
        has_creds=seen.facts.creds is CredsState.VALID,
        is_connected=seen.connection is not None and seen.connection.is_connected,
        bak="" if bak is None else printable(bak.name),
        bak_is_proven=bak is not None and bak.proof is Proof.SAME,
    )


def _bak(job: RecoverJob, company: Company, seen: BotSeen) -> Bak | None:
    """Return the copy of `creds.json` that can come back, None where creds are whole or there is none."""
    from baileys_tools.recovery.from_bak import Bak, bak_of

    assert job.root is not None
    if seen.facts.creds in (CredsState.VALID, CredsState.UNKNOWN):
        return None
    found = bak_of(job.settings, job.state, job.root, company)
    return found if isinstance(found, Bak) and found.proof is not Proof.OTHER else None


def _newest_snapshot(settings: Settings, root: Root, company: Company) -> SnapshotInfo | None:
    """Return the newest snapshot of the session in this folder, and not of one that was reset since."""
    if settings.backup.path is None or not os.path.isdir(settings.backup.path):
        return None
    from baileys_tools.snapshots.of_session import snapshots_of_this_session
    from baileys_tools.snapshots.repository import Repository

    try:
        with Repository(settings.backup.path) as repository:
            return next(iter(snapshots_of_this_session(repository, root, company)[-1:]), None)
    except (BaileysToolsError, OSError):
        return None


def failed_recovery(company: Company, why: str, first: Diagnosis | None = None) -> CompanyRecovery:
    """Return what is reported of a company that could not be looked at, or whose steps broke off."""
    last = Diagnosis(Cause.UNKNOWN, Confidence.POSSIBLE, (why,))
    return CompanyRecovery(company.id, first or last, last, Ending.FAILED)
