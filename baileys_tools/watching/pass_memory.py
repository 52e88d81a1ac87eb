"""What a pass remembers for the next one, and what it knows of snapshots."""

import os
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING

from baileys_tools.config import Settings
from baileys_tools.findings import Finding
from baileys_tools.sessions.roots import Company
from baileys_tools.sessions.rules.fullness import HealthRules
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.sessions.rules.surroundings import Snapshots
from baileys_tools.state import memory
from baileys_tools.state.database import State
from baileys_tools.state.scope import root_key
from baileys_tools.thresholds import level_of
from baileys_tools.watching.kept_inbound import remember_inbound
from baileys_tools.watching.looking import last_activity, remember, rules_by_company, rules_of
from baileys_tools.watching.rules.health_surroundings import snapshot_findings
from baileys_tools.watching.rules.watch import MonitorReport, is_worth_history, news_among, said_key

if TYPE_CHECKING:
    from baileys_tools.state.observations import Observation


SAID = "monitor-said"

SNAPSHOTS = "monitor-snapshots"


def snapshots_of(
    settings: Settings, state: State, companies: Sequence[Company], now: datetime
) -> tuple[dict[str, Snapshots], list[Finding]]:
    """Return what the backup repository has of each company, and what is wrong with it as a whole."""
    rules = rules_of(settings)
    path = settings.backup.path
    if path is None:
        return {}, list(snapshot_findings("", None, None, rules, now))
    from baileys_tools.snapshots.newest import from_plain, newest_snapshots
    from baileys_tools.state.runs import last_in_companies

    about = root_key(state.scope.root)
    kept = memory.recall(state, SNAPSHOTS, about)
    plain = kept["companies"] if isinstance(kept, dict) and kept.get("path") == path else {}
    known = {company: one for company, row in plain.items() if (one := from_plain(row)) is not None}
    found, trouble = newest_snapshots(path, [company.id for company in companies], known, state.scope.key)
    if trouble:
        is_new = not plain and not os.path.lexists(path) and _is_young(state, rules, now)
        return {}, list(snapshot_findings("", Snapshots(trouble=trouble, is_new=is_new), None, rules, now))
    if found != known:
        memory.keep(state, SNAPSHOTS, {"path": path, "companies": known | found}, about)
    safe = last_in_companies(state, "backup")
    since = now - rules.snapshot_max_age
    return {
        company: Snapshots(
            newest=one.info(company),
            stored=one.stored,
            damaged=one.damaged,
            # A backup that found nothing new is as good as a new snapshot.
            is_current=company in safe and safe[company].at >= since,
            failure=one.failure,
        )
        for company, one in found.items()
    }, []


def _is_young(state: State, rules: HealthRules, now: datetime) -> bool:
    """Whether so little time has passed since the first look, and since no backup ran, that none could be expected."""
    from baileys_tools.state.observations import first_looks
    from baileys_tools.state.runs import last_in_companies

    if not state.is_durable or last_in_companies(state, "backup"):
        return False
    seen = first_looks(state)
    return not seen or min(seen.values()) >= now - rules.snapshot_max_age


def remember_pass(
    state: State,
    root: str,
    settings: Settings,
    known: Mapping[str, Look],
    looks: Mapping[str, Look],
    now: datetime,
) -> None:
    """Write down what is worth it: after a pass in which nothing moved, nothing."""
    rules, rules_for = rules_of(settings), rules_by_company(settings)
    seconds = int(now.timestamp())
    news = {
        company: look._replace(observed_at=seconds, observed_counted=look.counted)
        for company, look in looks.items()
        if is_worth_history(look, known.get(company), rules_for(company).thresholds, seconds)
    }
    kept = {**looks, **news}
    whole = (
        {company: look for company, look in known.items() if company not in kept}
        if _is_part(settings)
        else {}
    )
    with state.transaction():
        if news:
            from baileys_tools.state.observations import observe

            observe(
                state,
                [_observation(company, look, rules_for(company), now) for company, look in news.items()],
            )
        if {**whole, **kept} != known:
            remember_inbound(state, {**whole, **kept}, now)
            remember(state, root, rules, {**whole, **kept})
            if new := kept.keys() - known.keys():
                from baileys_tools.state.places import introduce

                introduce(state, new)


def _observation(company: str, look: Look, rules: HealthRules, now: datetime) -> "Observation":
    from baileys_tools.state.observations import Observation

    return Observation(
        company,
        now,
        look.files,
        look.counted,
        look.by_kind,
        look.size if look.full_at else None,
        level_of(look.counted, rules.thresholds).value,
        look.creds,
        last_activity(look),
        look.connection,
    )


def _is_part(settings: Settings) -> bool:
    return bool(settings.sessions.companies)


def remember_news(state: State, report: MonitorReport, looked_at: Set[str]) -> frozenset[tuple[str, str]]:
    """Return what was not there at the last pass, and remember what is there now."""
    about = root_key(state.scope.root)
    said = memory.recall(state, SAID, about)
    before = said if isinstance(said, dict) else {}
    worth = [finding for finding in report.findings if finding.severity.rank > 0]
    # Of companies that this pass did not look at, what was said before still stands.
    present = {key: severity for key, severity in before.items() if key.partition(" ")[2] not in looked_at}
    present |= {said_key(finding): finding.severity.value for finding in worth}
    if present != before:
        memory.keep(state, SAID, present, about)
    return news_among(worth, before)
