"""Everything that is known of one bot at one moment: API, process, folder, log. What a diagnosis rests on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from itertools import filterfalse
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.bots.asking import bot_api_for, processes
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.bots.rules.diagnosis import BotFacts
from baileys_tools.bots.rules.log_events import LogFacts
from baileys_tools.bots.rules.process import ProcessFacts, restarts_since
from baileys_tools.frame.companies import kept_looks
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState, show_a_login, state_of
from baileys_tools.sessions.rules.keyfiles import sort_by_kind
from baileys_tools.sessions.scan import is_own, read_creds

if TYPE_CHECKING:
    from baileys_tools.config import Settings
    from baileys_tools.state.database import State


class BotSeen(NamedTuple):
    """One look at a bot. `connection` and `process` are None where the settings name none."""

    facts: BotFacts
    connection: Connection | None
    process: ProcessFacts | None


def look_at_bot(
    settings: Settings,
    root: Root,
    company: Company,
    state: State,
    now: datetime,
    *,
    had_snapshot: bool = False,
    connection: Connection | None = None,
    process: ProcessFacts | None = None,
    looks: Mapping[str, Any] | None = None,
) -> BotSeen:
    """Look at one bot from all sides. `had_snapshot`: the backup repository has the session of this folder.

    What somebody who looks at many knows already need not be asked again: `connection` is what its API said a moment
    ago, `process` how its process was then, and `looks` what `kept_looks` returned.

    What cannot be looked at is "not known", and raises nothing.
    """
    if connection is None:
        api = bot_api_for(settings, company.id)
        connection = api.connection() if api is not None and api.offers("status") else None
    is_unknown = connection is not None and connection.state is ConnectionState.UNKNOWN
    if process is None:
        process = processes(settings, [company.id]).get(company.id)
    if looks is None:
        looks = kept_looks(state, root.path).looks
    creds = creds_fact(root, company)
    facts = BotFacts(
        connection=connection.state.value if connection is not None else ConnectionState.UNKNOWN.value,
        has_qr=connection.has_qr if connection is not None else None,
        creds=creds,
        was_linked=had_snapshot or _was_linked(looks, root, company) or _holds_keys(root, company, creds),
        running=process.running if process is not None else None,
        started=process.started if process is not None else None,
        restarts=_restarts(state, company.id, process),
        log=_log_facts(settings, state, root, company, connection, now),
        unanswered=connection.detail if connection is not None and is_unknown else "",
    )
    return BotSeen(facts, connection, process)


def creds_fact(root: Root, company: Company) -> CredsState:
    """Return what stands in a company's folder under `creds.json`."""
    try:
        with root.open(company) as folder:
            return state_of(read_creds(folder))
    except FileNotFoundError:
        return CredsState.MISSING
    except OSError:
        return CredsState.UNKNOWN


def _restarts(state: State, company: str, process: ProcessFacts | None) -> int:
    """Restarts since the monitor's last look; a look of `recover` is not one that others compare with."""
    from baileys_tools.bots.asking import PROCESS_MEMORY
    from baileys_tools.state.memory import recall

    return (process and restarts_since(recall(state, PROCESS_MEMORY, company), process)) or 0


def _was_linked(looks: Mapping[str, Any], root: Root, company: Company) -> bool:
    from baileys_tools.sessions.look import was_linked_at
    from baileys_tools.sessions.rules.looks import from_plain

    plain = looks.get(company.id)
    look = from_plain(company.id, plain) if plain is not None else None
    if look is None:
        return False
    try:
        with root.open(company) as folder:
            return was_linked_at(look, folder)
    except OSError:
        return look.was_linked


def _holds_keys(root: Root, company: Company, creds: CredsState) -> bool:
    """Whether creds that are of no linked device stand beside what tells of one."""
    if creds not in (CredsState.MISSING, CredsState.UNPAIRED):
        return False
    try:
        with root.open(company) as folder:
            return show_a_login(creds, sort_by_kind(filterfalse(is_own, os.listdir(folder))))
    except OSError:
        return False


def _log_facts(
    settings: Settings,
    state: State,
    root: Root,
    company: Company,
    connection: Connection | None,
    now: datetime,
) -> LogFacts:
    if not settings.logs.files:
        return LogFacts()
    from baileys_tools.bots.bot_logs import read_logs_beside

    said = connection.state.value if connection is not None else ""
    return read_logs_beside(state, settings, root, company, now, said).facts
