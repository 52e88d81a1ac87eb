"""One pass of watching: look at every folder and at what surrounds it, and remember what is worth it."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from baileys_tools.config import Settings
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.companies import all_companies, choose, kept_looks
from baileys_tools.frame.held_locks import held_too_long, is_worth_a_look, lock_of_state
from baileys_tools.sessions.holders import held_folders
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.fullness import HealthRules
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.sessions.rules.surroundings import Snapshots, Space
from baileys_tools.state.database import State, from_seconds
from baileys_tools.thresholds import level_of
from baileys_tools.units import printable
from baileys_tools.watching.asked import BotAnswers, ask, diagnosis_of, waits_for_a_code
from baileys_tools.watching.kept_inbound import inbound_findings, kept_inbound
from baileys_tools.watching.kept_inspections import kept_inspections, still_broken
from baileys_tools.watching.looking import (
    last_activity,
    login_at,
    look_at_all,
    remembered,
    rules_by_company,
    rules_of,
)
from baileys_tools.watching.old_folders import left_beside, left_without_company
from baileys_tools.watching.pass_memory import remember_news, remember_pass, snapshots_of
from baileys_tools.watching.rules.health import (
    CREDS_LOST,
    activity_findings,
    host_findings,
    unreadable_folder,
)
from baileys_tools.watching.rules.health_surroundings import (
    snapshot_findings,
    space_findings,
)
from baileys_tools.watching.rules.verdict import CompanyStatus, away_finding, worst_finding_first
from baileys_tools.watching.rules.watch import (
    GONE_FOR,
    SNAPSHOT_CODES,
    Key,
    MonitorReport,
    account_twice,
    gone_finding,
    login_of,
    same_logins,
    without_files,
)


class Pass(NamedTuple):
    """What one pass saw. `looks` are at the companies that are there, `gone` the last ones at those that are not."""

    root: str
    now: datetime
    companies: list[CompanyStatus]
    host: list[Finding]
    unknown: frozenset[str | Key]
    asked: BotAnswers
    looks: dict[str, Look]
    gone: dict[str, Look]
    known: dict[str, Look]
    everyone: list[Company]


def look_over(
    settings: Settings,
    root: Root,
    state: State,
    now: datetime,
    asked: BotAnswers | None = None,
    *,
    remembers: bool = False,
) -> Pass:
    """Look at the companies that the settings choose, from all sides: folder, API, process, log, snapshots.

    Every command that says how a company is asks here. `asked` is what others said a moment ago, None to ask them;
    `remembers` is for the one that later looks compare with.
    """
    rules = rules_of(settings)
    rules_for = rules_by_company(settings)
    kept = kept_looks(state, root.path)
    everyone = all_companies(root, settings, state, kept)
    known = remembered(state, kept, rules)
    del kept  # as plain values they would be in memory twice
    companies, gone = chosen(settings, everyone, known, root, now)
    snapshots, repository = snapshots_of(settings, state, companies, now)
    if asked is None:
        asked = ask(settings, root, state, companies, now, remembers=remembers)
    looks, listed = look_at_all(
        root,
        companies,
        known,
        snapshots,
        settings,
        now,
        whole=not remembers,
        server=asked.server_pre_keys,
    )
    stopped = _left_stopped(state, asked, looks)
    is_asked = not remembers or is_worth_a_look(state, settings, now)
    held = _held_locks(settings, root, state, companies, now) if is_asked else {}
    logins = logins_of(root, looks, known, everyone)
    inspected, heard = kept_inspections(state), kept_inbound(state)
    seen = []
    moved: dict[str, Finding] = {}
    without = [one for one, look in looks.items() if look.creds is CredsState.MISSING and look.files]
    if without or gone:
        from baileys_tools.watching.moved import moved_findings

        moved = moved_findings(state, (*without, *gone), looks)
    for company in companies:
        if company.id in moved:
            left = without_files(looks[company.id])
            seen.append(_status(company, left, [moved[company.id]], None, rules_for(company.id)))
            continue
        connection = asked.connections.get(company.id)
        look = looks[company.id]._replace(connection=connection.state.value if connection else "")
        looks[company.id] = look
        findings = [
            *_of_linked(asked.findings.get(company.id, ()), look),
            *(one for one in look.findings if one.code != "foreign-owner" or company.id not in asked.users),
            *(still_broken(root, company, inspected[company.id]) if company.id in inspected else ()),
            *inbound_findings(company.id, look, heard.get(company.id), now),
            *(one for one in stopped if one.company == company.id),
            *timely_findings(company, look, snapshots.get(company.id), rules_for(company.id), now),
            *([held[company.id]] if company.id in held else []),
            *left_beside(root, company, now),
            *([account_twice(company.id, logins[company.id])] if company.id in logins else []),
        ]
        is_lost = any(one.code in CREDS_LOST for one in findings)
        diagnosis = diagnosis_of(company.id, asked, look, is_lost=is_lost, now=now)
        if diagnosis is not None and (away := away_finding(company.id, diagnosis, findings)) is not None:
            findings.append(away)
        one = _status(company, look, findings, snapshots.get(company.id), rules_for(company.id))
        seen.append(
            one._replace(listed=company.id in listed, running=asked.running(company.id), diagnosis=diagnosis)
        )
    for company_id, look in gone.items():
        company, finding = what_is_gone(root, company_id, look, state.scope.key(company_id))
        lost = _status(
            company, without_files(look), [moved.get(company_id, finding)], None, rules_for(company_id)
        )
        seen.append(lost._replace(is_gone=True))
    host = [
        *_of_host(root, state, len(everyone), len(known)),
        *([_new_state(state)] if state.is_new else []),
        *repository,
        *(space_findings("", _space(root), rules) if root.trouble is None else ()),
        *left_without_company(root, everyone, now),
        *_endangered(root),
    ]
    # Where all have vanished, nothing is over because of that.
    unknown = frozenset(
        [
            *gone,
            *(() if everyone else known),
            *_unanswered(looks, snapshots, asked, settings.backup.path is not None),
        ]
    )
    return Pass(root.path, now, seen, worst_finding_first(host), unknown, asked, looks, gone, known, everyone)


def look_once(
    settings: Settings, root: Root, state: State, now: datetime, asked: BotAnswers | None = None
) -> tuple[MonitorReport, BotAnswers]:
    """Look at the companies that the settings choose, and remember what was seen, for the next pass."""
    seen = look_over(settings, root, state, now, asked, remembers=True)
    if any(look.creds is CredsState.MISSING for look in seen.known.values()):
        from baileys_tools.watching.moved import forget_moves

        forget_moves(state, seen.known, seen.looks)
    if seen.everyone:
        # Where all have vanished, the memory of them is what tells a loss from a beginning.
        remember_pass(state, root.path, settings, seen.known, seen.looks | seen.gone, now)
    report = MonitorReport(
        root.path, now, rules_of(settings).thresholds, seen.companies, seen.host, unknown=seen.unknown
    )
    looked_at = {company.id for company in seen.companies} | {""}
    return report._replace(news=remember_news(state, report, looked_at)), seen.asked


def _left_stopped(state: State, asked: BotAnswers, looks: Mapping[str, Look]) -> list[Finding]:
    """Return what runs that were killed have stopped, as long as it does not run again."""
    from baileys_tools.state.stopped import noted

    if not noted(state):
        return []
    from baileys_tools.bots.rules.connection import ConnectionState
    from baileys_tools.bots.stopped import left_findings

    up = (ConnectionState.CONNECTED, ConnectionState.CONNECTING)

    def has_begun(company: str) -> bool:
        connection = asked.connections.get(company)
        is_up = connection is not None and (connection.state in up or bool(connection.has_qr))
        return is_up or (company in looks and looks[company].creds is CredsState.VALID)

    return list(
        left_findings(state, {one: facts.running for one, facts in asked.processes.items()}, has_begun)
    )


def _held_locks(
    settings: Settings, root: Root, state: State, companies: Sequence[Company], now: datetime
) -> dict[str, Finding]:
    """Return by company what is to say of locks that somebody holds for too long. Waits for none and takes none."""
    holders = held_folders(root, companies, lock_of_state(state))
    # The lock of a session in a store is not seen from here: it is told by the cleanup that meets it.
    free = [one.id for one in companies if one.id not in holders and root.bases[one.base].stored is None]
    return held_too_long(state, settings, holders, free, now)


def _of_linked(findings: Sequence[Finding], look: Look) -> Iterator[Finding]:
    for finding in findings:
        if finding.code != "connection-lost" or not waits_for_a_code(look):
            yield finding


def _of_host(root: Root, state: State, companies: int, before: int) -> list[Finding]:
    told = root.trouble.message.rstrip(".") if root.trouble is not None and "://" in root.path else ""
    return host_findings(
        companies, root.path, companies_before=before, state_trouble=state.trouble, store_trouble=told
    )


def lost_root(settings: Settings, root: Root, state: State, now: datetime) -> MonitorReport | None:
    """Given a sessions path that cannot be opened, return the report that says so; None if it never held anything."""
    known = remembered(state, kept_looks(state, root.path), rules_of(settings))
    if not known:
        return None
    host = _of_host(root, state, 0, len(known))
    report = MonitorReport(root.path, now, rules_of(settings).thresholds, [], host, unknown=frozenset(known))
    return report._replace(news=remember_news(state, report, {""}))


def _unanswered(
    looks: Mapping[str, Look], snapshots: Mapping[str, Snapshots], asked: BotAnswers, is_backed_up: bool
) -> Iterator[str | Key]:
    """Yield the companies, and the (company, code), of which this pass could not tell how they are."""
    yield from asked.unknown
    for company, look in looks.items():
        if look.trouble:
            yield company
        if waits_for_a_code(look):
            yield company, "connection-lost"
        if look.creds is not CredsState.VALID:
            # Who has lost the session is not asked how old it is.
            yield company, "no-activity"
        if is_backed_up and (company not in snapshots or look.creds is not CredsState.VALID):
            yield from ((company, code) for code in SNAPSHOT_CODES)


def _new_state(state: State) -> Finding:
    return Finding(
        "state-new",
        Severity.NOTICE,
        "",
        f"there was no state database at {printable(state.path)}; a new one begins, without history",
        "Nothing to do if this is the first run. Else see what removed it, or who else runs this tool.",
    )


def chosen(
    settings: Settings, everyone: Sequence[Company], known: Mapping[str, Look], root: Root, now: datetime
) -> tuple[list[Company], dict[str, Look]]:
    """Return the companies that the settings choose, and the last look at each of them that has vanished.

    Raises exit code 10 when one is neither.
    """
    wanted = settings.sessions.companies
    lost = {company.id for company in everyone if root.is_lost(company)}
    gone = {
        company: look
        for company, look in _gone(known, everyone, lost, int(now.timestamp())).items()
        if not wanted or company in wanted
    }
    here = type(wanted)(one for one in wanted if one not in gone)
    companies = choose(everyone, here, root.path) if here or not wanted else []
    return [company for company in companies if company.id not in gone], gone


def logins_of(
    root: Root, looks: Mapping[str, Look], known: Mapping[str, Look], everyone: Sequence[Company]
) -> dict[str, list[str]]:
    """Return by company which others hold the same login, those that are not looked at now as they were last seen, or
    as their creds.json says where they never were.
    """
    if len(looks) == len(everyone):
        return same_logins({company: login_of(look) for company, look in looks.items()})
    logins = {}
    for company in everyone:
        look = looks.get(company.id) or known.get(company.id)
        logins[company.id] = login_of(look) if look is not None else login_at(root, company)
    return same_logins(logins)


def what_is_gone(root: Root, company_id: str, look: Look, place: str) -> tuple[Company, Finding]:
    """Given the last look at a company that has vanished, and its place, return where it was, and the finding."""
    from baileys_tools.sessions.search.standing import where_it_stood

    company = where_it_stood(root, company_id, place)
    is_single = company.entry == "." and root.is_lost(company)
    return company, gone_finding(company.id, printable(company.path), look.was_linked, is_single=is_single)


def _gone(
    known: Mapping[str, Look], everyone: Sequence[Company], lost: Set[str], now: int
) -> dict[str, Look]:
    """Return the companies of earlier passes whose folders have vanished within a day, a `lost` single one for ever.

    Where all have vanished, that is what has to be said and not each by itself.
    """
    here = {company.id for company in everyone} - lost
    if not everyone:
        return {}
    gone = {}
    for company, look in known.items():
        since = look.gone_since or now
        had_something = look.files > 0 or look.was_linked
        lately = company in lost or 0 <= now - since <= GONE_FOR.total_seconds()
        if company not in here and lately and had_something:
            gone[company] = look._replace(gone_since=since, settled=False, findings=(), trouble="")
    return gone


def timely_findings(
    company: Company, look: Look, snapshots: Snapshots | None, rules: HealthRules, now: datetime
) -> list[Finding]:
    """Return what is wrong with a company by now, and by what surrounds its folder."""
    if look.trouble:
        return [unreadable_folder(company.id, look.trouble)]
    activity = last_activity(look)
    found: list[Finding] = []
    if activity is not None and look.creds is CredsState.VALID:
        found += activity_findings(company.id, activity, rules, now)
    creds_lost = any(finding.code in CREDS_LOST for finding in look.findings)
    if snapshots is not None and (look.was_linked or creds_lost):
        found += snapshot_findings(company.id, snapshots, activity, rules, now, creds_lost=creds_lost)
    return found


def _endangered(root: Root) -> list[Finding]:
    """Return what is wrong with stores for all their sessions. Costs nothing where all are folders."""
    stored = {base.spec.store.address: base.stored for base in root.bases if base.stored and base.spec.store}
    if not stored:
        return []
    from baileys_tools.watching.rules.health_stores import endangered_stores

    return list(
        endangered_stores(
            {address: one.dangers() for address, one in stored.items()},
            {address: one.doubled() for address, one in stored.items()},
            {address: one.nameless() for address, one in stored.items()},
        )
    )


def _status(
    company: Company, look: Look, findings: Sequence[Finding], snapshots: Snapshots | None, rules: HealthRules
) -> CompanyStatus:
    return CompanyStatus(
        id=company.id,
        path=company.path,
        level=level_of(look.counted, rules.thresholds),
        files=look.files,
        guarded=look.guarded,
        by_kind=look.by_kind,
        creds=look.creds,
        connection=look.connection,
        last_activity=last_activity(look),
        last_snapshot=snapshots.newest_at if snapshots is not None else None,
        findings=worst_finding_first(findings),
        trouble=look.trouble,
        size=look.size if look.full_at else None,
        inbound=from_seconds(look.inbound) if look.inbound else None,
        uncounted=look.uncounted,
    )


# --- what surrounds the folders -----------------------------------------------------------------------------


def _space(root: Root) -> Space:
    """Return how little room there is where the sessions are, of several file systems the least."""
    seen = [os.fstatvfs(base.fd) for base in root.bases if base.fd >= 0]
    full = min(seen, key=lambda one: one.f_bavail * one.f_frsize)
    few = min(seen, key=lambda one: one.f_favail if one.f_files else sys.maxsize)
    return Space(full.f_blocks * full.f_frsize, full.f_bavail * full.f_frsize, few.f_files, few.f_favail)


# --- what is remembered -------------------------------------------------------------------------------------
