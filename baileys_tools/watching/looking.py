"""How watching looks at many folders: what stands still is remembered, the rest is looked at side by side."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from baileys_tools import __version__
from baileys_tools.config import Settings
from baileys_tools.config.companies import Owners
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.companies import KeptLooks, named_anew, where_it_stood
from baileys_tools.frame.fleet import for_each
from baileys_tools.layouts import real_path
from baileys_tools.pasted import where
from baileys_tools.sessions.look import LOOKS, foreign_creds, list_folder, stamp_of, was_linked_at, weigh
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.counting import count_files
from baileys_tools.sessions.rules.creds import Creds, CredsState, state_of
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.fullness import HealthRules, worst_first
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of
from baileys_tools.sessions.rules.looks import Look, Stamp, from_plain, to_plain
from baileys_tools.sessions.rules.prekeys import FEWEST_KEPT, ServerPreKeys
from baileys_tools.sessions.rules.surroundings import Snapshots
from baileys_tools.sessions.stored.copies import have_written, scanned, working_copy
from baileys_tools.state import memory
from baileys_tools.state.database import State
from baileys_tools.state.scope import is_place, root_key
from baileys_tools.thresholds import LEVELS, level_of
from baileys_tools.units import moment_of
from baileys_tools.watching.rules.health import cheap_findings
from baileys_tools.watching.rules.watch import full_look_is_due, unreadable


def rules_of(settings: Settings) -> HealthRules:
    """Given the settings, return the limits that findings compare with."""
    health = settings.health
    return HealthRules(
        settings.levels,
        settings.pre_keys.keep,
        settings.pre_keys.guard,
        health.inactive_warning,
        health.inactive_critical,
        health.snapshot_max_age,
        health.largest_folder,
        health.free_disk,
        health.free_inodes,
        settings.cleanup.silence,
        f"{settings.companies} {settings.baselines}" if settings.companies or settings.baselines else "",
    )


def rules_by_company(settings: Settings) -> Callable[[str], HealthRules]:
    """Given the settings, return what gives the limits of a company by its id."""
    for_all = rules_of(settings)
    if not settings.companies and not settings.baselines:
        return lambda company: for_all

    def of(company: str) -> HealthRules:
        # Without what all others have: to write that down for each company would be quadratic.
        return rules_of(settings.for_company(company)._replace(companies=Owners(), baselines={}))

    return of


# --- memory -------------------------------------------------------------------------------------------------


def remembered(state: State, kept: KeptLooks, rules: HealthRules) -> dict[str, Look]:
    """Given what is kept of earlier passes at this sessions path, return their looks, by company as it is called now.

    What other rules or another version of this tool found is as good as nothing; that a session was linked is not.
    """
    kept = named_anew(state, kept)
    looks = {company: from_plain(company, plain) for company, plain in kept.looks.items()}
    found = {company: look for company, look in looks.items() if look is not None}
    if kept.rules != _fingerprint(rules):
        return {company: look._replace(settled=False, full_at=0) for company, look in found.items()}
    if kept.where != where():
        # The hints of what was found are of a run that was told otherwise where the bots are.
        return {
            company: look._replace(settled=not look.findings and look.settled)
            for company, look in found.items()
        }
    return found


def remember(state: State, root: str, rules: HealthRules, looks: Mapping[str, Look]) -> None:
    """Keep looks for the next pass. One that nothing came of is not written again."""
    # Somebody else's spelling of the path (a link, a second slash) must not have the next pass begin anew.
    place = real_path(root)
    elsewhere = {
        one: at for one in looks if is_place(at := state.scope.key(one)) and at != where_it_stood(place, one)
    }
    document: dict[str, Any] = {
        "root": root,
        "place": place,
        "rules": _fingerprint(rules),
        "where": where(),
    }
    if elsewhere:
        document["places"] = elsewhere
    memory.keep(state, LOOKS, document, root_key(place))
    plain = ((company, to_plain(look)) for company, look in looks.items())
    memory.keep_parts(state, LOOKS, plain, root_key(place))


def _fingerprint(rules: HealthRules) -> str:
    return f"{__version__} {rules}"


# --- looking ------------------------------------------------------------------------------------------------


class _Task(NamedTuple):
    company: Company
    stamp: Stamp | None
    known: Look | None
    full: bool
    newest: datetime | None
    server: ServerPreKeys | None


def look_at_all(
    root: Root,
    companies: Sequence[Company],
    known: Mapping[str, Look],
    snapshots: Mapping[str, Snapshots],
    settings: Settings,
    now: datetime,
    *,
    whole: bool = False,
    server: Callable[[str], ServerPreKeys | None] = lambda company: None,
) -> tuple[dict[str, Look], frozenset[str]]:
    """Return the look at each company, and the ids of those whose folders were listed for it.

    With `whole`, all files of what has changed are looked at, and not about once an hour. What the repository has
    tells, beside what is `known`, whether a folder has held a session; `server` what a company's log says of the
    server's pre-keys. Raises BaileysToolsError when nothing can be looked at at all.
    """
    seconds = int(now.timestamp())
    found: dict[str, Look] = {}
    tasks: list[_Task] = []
    stored = root.stored_stamps(companies)
    for company in companies:
        before = known.get(company.id)
        full = before is None or full_look_is_due(company.id, before, seconds)
        stamp = _stamp(root, company, stored.get(company.id))
        newest = snapshots[company.id].newest_at if company.id in snapshots else None
        said = None
        if before is None or before.by_kind.get(Kind.PRE_KEY, 0) > FEWEST_KEPT:
            said = server(company.id)
        is_told = before is not None and (before.was_linked or newest is None)
        is_as_before = before is not None and before.settled and before.server_at == _seconds_of(said)
        if before is not None and is_as_before and is_told and not full and stamp == before.stamp:
            found[company.id] = before
        else:
            # Of a store all is read anyway.
            full = full or whole or root.bases[company.base].stored is not None
            tasks.append(_Task(company, stamp, before, full, newest, said))
    rules_for = rules_by_company(settings)

    def work(task: _Task) -> Look:
        own = settings.for_company(task.company.id)
        return _look(root, rules_for(task.company.id), own, now, task)

    done = for_each(tasks, work, lambda task, why: unreadable(why, task.known))
    found |= {task.company.id: look for task, look in zip(tasks, done, strict=True)}
    return found, frozenset(task.company.id for task in tasks)


def _of_its_store(company: str, folder: int) -> list[Finding]:
    if (copy := working_copy(folder)) is None:
        return []
    from baileys_tools.watching.rules.health_stores import store_findings

    expiring, half = copy.store.expiring(copy.tenant), copy.is_half_changed
    return list(store_findings(company, copy.files, expiring, is_half_changed=half))


def _seconds_of(said: ServerPreKeys | None) -> int:
    return 0 if said is None else int(said.at.timestamp())


def _stamp(root: Root, company: Company, stored: str | None) -> Stamp | None:
    if stored is not None:
        return Stamp(0, 0, 0, 0, 0, 0, stored)
    try:
        return stamp_of(root, company)
    except OSError:
        return None  # opening it will say why


def _look(root: Root, rules: HealthRules, settings: Settings, now: datetime, task: _Task) -> Look:
    with root.open(task.company, unwritten=True) as folder:
        return _look_into(folder, rules, settings, now, task)


def _look_into(folder: int, rules: HealthRules, settings: Settings, now: datetime, task: _Task) -> Look:
    company, before = task.company, task.known
    stamp = task.stamp or Stamp(0, 0, 0, 0, 0, 0)
    facts, settled = list_folder(folder, stamp)
    facts = facts._replace(server=task.server)
    count = count_files(facts, rules.pre_keys_kept, guard=rules.pre_key_guard, thresholds=rules.thresholds)
    paired = isinstance(facts.creds, Creds) and facts.creds.paired
    was_linked = paired or was_linked_at(before, folder, task.newest)
    full_at, size, written_at, strictest = (
        (before.full_at, before.size, before.written_at, before.strictest_leaves) if before else (0, 0, 0, 0)
    )
    level = level_of(count.counted, rules.thresholds)
    risen = before is None or LEVELS.index(level) > LEVELS.index(level_of(before.counted, rules.thresholds))
    inbound = before.inbound if before else 0
    standing = [one for one in before.findings if one.code in STANDING_CODES] if before else []
    # What was wrong with the files themselves is asked again at every look, to be over when it is.
    if task.full or risen or standing:
        full_at = int(now.timestamp())
        size, written_at, inbound, standing = _weigh_all(company.id, folder, facts, rules, now)
        strictest = (
            _strictest_leaves(folder, settings, task.server, now)
            if count.counted >= rules.thresholds.critical
            else 0
        )
    findings = cheap_findings(
        company.id, facts, rules, now, was_linked=was_linked, strictest_leaves=strictest, count=count
    )
    findings = worst_first([*findings, *standing, *_of_its_store(company.id, folder)])
    is_told = any(one.code == "foreign-owner" for one in standing)
    if not is_told and (files := foreign_creds(folder, facts)):
        from baileys_tools.sessions.rules.owners import owner_findings

        findings = worst_first([*findings, *owner_findings(company.id, files)])
    return Look(
        stamp=stamp,
        # Whether the clock is right is for the next minute to ask again; a write behind a link shows in no stamp.
        settled=settled and not any(one.code in _ASKED_AGAIN for one in findings),
        files=count.files,
        guarded=count.guarded,
        by_kind={kind.value: len(names) for kind, names in facts.names.items()},
        creds=state_of(facts.creds),
        was_linked=was_linked,
        full_at=full_at,
        size=size,
        written_at=max(written_at, stamp.creds_mtime // 1_000_000_000),
        strictest_leaves=strictest,
        findings=tuple(findings),
        observed_at=before.observed_at if before else 0,
        observed_counted=before.observed_counted if before else -1,
        connection=before.connection if before else "",
        login=_login(facts.creds, before if was_linked else None),
        uncounted=count.uncounted,
        inbound=inbound,
        server_at=_seconds_of(task.server),
    )


STANDING_CODES = frozenset(
    {
        *("key-files-empty", "creds-behind-pre-keys", "keys-writable-by-all", "odd-entries", "folder-large"),
        *("foreign-owner", "key-files-torn", "key-files-unreadable", "key-files-form"),
    }
)
"""What the stats of all files tell, and two that are read: looked at once an hour while all is well."""

_ASKED_AGAIN = STANDING_CODES | {"clock-implausible", "creds-linked"}


def _weigh_all(
    company: str, folder: int, facts: FolderFacts, rules: HealthRules, now: datetime
) -> tuple[int, int, int, list[Finding]]:
    """Look at all files; return their size, when the newest was written and when the last message came in (seconds),
    and what is wrong with them.
    """
    seen = weigh(folder, facts)
    counter = facts.creds.next_pre_key_id if isinstance(facts.creds, Creds) else None
    above = counter is not None and any(
        int(key_id_of(name, Kind.PRE_KEY)) >= counter for name in facts.of(Kind.PRE_KEY)
    )
    found: list[Finding] = []
    if seen.is_odd or above or seen.size > rules.largest_folder:
        from baileys_tools.sessions.inspect_folder import survey_folder
        from baileys_tools.watching.rules.inspection_rules import standing_findings

        have_written(folder)
        found = standing_findings(company, survey_folder(folder, facts), rules, now)
    found += _form_findings(company, folder, facts, seen.sender_keys)
    from heapq import nlargest

    from baileys_tools.watching.inbound import READ, last_inbound

    have_written(folder, [name for _, name in nlargest(READ, seen.sessions)])
    inbound = last_inbound(folder, facts.creds, seen.sessions, seen.sender_keys)
    return seen.size, seen.newest // 1_000_000_000, inbound, found


def _form_findings(
    company: str, folder: int, facts: FolderFacts, sender_keys: Sequence[tuple[int, str]]
) -> list[Finding]:
    """Return what is told by the oldest pre-key and sender-key: a key in a form that the bot cannot use is not written
    anew, and those that the bot has made since are younger."""
    oldest = [
        *sorted(facts.of(Kind.PRE_KEY), key=lambda name: int(key_id_of(name, Kind.PRE_KEY)))[:1],
        *(name for _, name in sorted(sender_keys)[:1]),
    ]
    from contextlib import suppress

    from baileys_tools.sessions.rules.keyfiles import kind_of
    from baileys_tools.sessions.rules.records import key_content_by
    from baileys_tools.sessions.scan import read_regular_file
    from baileys_tools.watching.rules.health_keys import key_form_findings, unusable

    have_written(folder, oldest)
    used_by = {}
    for name in oldest:
        with suppress(OSError):
            used_by[name] = key_content_by(kind_of(name), read_regular_file(folder, name, _LARGEST_KEY))
    found = key_form_findings(company, facts, unusable(facts, used_by), used_by)
    return [one for one in found if one.severity is not Severity.NOTICE]


_LARGEST_KEY = 1 << 18


def _login(creds: Creds | CredsState, before: Look | None) -> str:
    """Return the login of creds, or where they are lost the one that they had: a way back is measured by it."""
    login = creds.login if isinstance(creds, Creds) else ""
    return login or (before.login if before is not None else "")


def login_at(root: Root, company: Company) -> str:
    """Return the login that a company's creds.json has, "" where it has none or cannot be read."""
    from baileys_tools.sessions.scan import read_creds

    try:
        with root.open(company) as folder:
            creds = read_creds(folder)
    except OSError:
        return ""
    return creds.login if isinstance(creds, Creds) else ""


def _strictest_leaves(folder: int, settings: Settings, server: ServerPreKeys | None, now: datetime) -> int:
    """Return how many counted files even the emergency limits would leave, 0 where they would do."""
    from baileys_tools.cleanup.rules.policy import plan_cleanup

    policy = settings.policy
    facts = scanned(folder, policy.emergency.pre_keys_keep)._replace(server=server)
    plan = plan_cleanup(facts, policy, now)
    return plan.emergency_would_leave or 0


def last_activity(look: Look) -> datetime | None:
    """Return when the bot last wrote a file, as far as was looked; None where no file was."""
    if not look.written_at:
        return None
    return moment_of(look.written_at * 1_000_000_000)
