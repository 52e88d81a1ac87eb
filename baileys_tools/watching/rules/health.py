"""What is wrong with a session folder, as far as one listing and `creds.json` tell.

Pure: facts in, findings out, cheap enough for every minute. `inspection.py` has the rules that need more.
What is no trouble must not become a finding above notice: whoever is woken for nothing stops reading alerts.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.clock import clock_is_implausible, nanoseconds
from baileys_tools.sessions.rules.counting import FileCount
from baileys_tools.sessions.rules.creds import (
    COUNTERS,
    CREDS,
    Creds,
    CredsState,
    is_form_of_its_own,
    show_a_login,
    state_of,
)
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.fullness import HealthRules, count_findings, worst_first
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.prekeys import GROWN
from baileys_tools.sessions.rules.silence import rewritten
from baileys_tools.units import counted, format_age, format_duration, printable
from baileys_tools.watching.rules.health_keys import key_findings
from baileys_tools.watching.rules.health_stray import stray_findings


def cheap_findings(
    company: str,
    facts: FolderFacts,
    rules: HealthRules,
    now: datetime,
    *,
    was_linked: bool = False,
    strictest_leaves: int = 0,
    count: FileCount | None = None,
) -> list[Finding]:
    """Given a listing with what `creds.json` says, return what is wrong, the worst first.

    Of stats only that of `creds.json` is needed. `was_linked` says that this folder held a linked session at an
    earlier look, so that an empty one is a loss and not a beginning. `strictest_leaves` is how many counted files the
    latest plan said even the emergency limits would leave (`CleanupPlan.emergency_would_leave`), `count` what
    `count_files` says where it was asked.
    A torn reading of creds is for the reader to repeat before this is asked.
    """
    return worst_first(
        [
            *_creds_findings(company, facts, was_linked=was_linked),
            *count_findings(company, facts, rules, strictest_leaves, count),
            *key_findings(company, facts),
            *_growth_findings(company, facts, now),
            *stray_findings(company, facts),
            *_clock_findings(company, facts, now),
        ]
    )


def host_findings(
    companies: int,
    root: str,
    *,
    companies_before: int = 0,
    state_trouble: str = "",
    store_trouble: str = "",
) -> list[Finding]:
    """Given how many companies were found at the sessions path, return what is wrong with the host as a whole.

    `companies_before` is how many an earlier look found there, `state_trouble` why the state cannot be used,
    `store_trouble` what a store said that is all of the sessions path.
    """
    found = []
    if not companies:
        known = companies_before > 0
        way_out = f"Is the disk or volume mounted? Look with: {command('ls -ld {}', root)}."
        if "://" in root:
            way_out = f"What the answers of a store mean: {command('baileys-tools help stores')}."
        found.append(
            Finding(
                "no-companies",
                Severity.EMERGENCY if known else Severity.WARNING,
                "",
                f"no session folder in {printable(root)}"
                + (f", where there were {companies_before}" if known else "")
                + (f": {printable(store_trouble)}" if store_trouble else ""),
                f"{way_out} If all were removed on purpose, take the jobs out: baileys-tools cron remove"
                if known
                else f"What stands there, and why it is not one: {command('baileys-tools sessions')}",
                {"companies": 0, "companies_before": companies_before},
            )
        )
    if state_trouble:
        found.append(state_unreadable(state_trouble))
    return found


def state_unreadable(why: str) -> Finding:
    """Given why the state database cannot be used, return the finding: the tool has no memory."""
    return Finding(
        "state-unreadable",
        Severity.WARNING,
        "",
        f"the state database cannot be used: {printable(why)}",
        "Until it can, cooldowns, history and alerts start anew at each run. Check the folder of state.dir.",
    )


def unreadable_folder(company: str, why: str) -> Finding:
    """Given why a company's folder cannot be opened or listed, return the finding: nobody watches that bot."""
    return Finding(
        "folder-unreadable",
        Severity.CRITICAL,
        company,
        f"the session folder cannot be read: {printable(why)}",
        "See to that: until then nobody watches this bot.",
    )


def activity_findings(
    company: str, last_activity: datetime, rules: HealthRules, now: datetime
) -> list[Finding]:
    """Given when the bot last wrote a key, return whether the session is about to die of idleness."""
    idle = now - last_activity
    if idle < rules.inactive_warning:
        is_held = timedelta() < rules.cleanup_silence < idle
        return [_held_silent(company, idle, rules)] if is_held else []
    is_critical = idle >= rules.inactive_critical
    limit = rules.inactive_critical if is_critical else rules.inactive_warning
    return [
        Finding(
            "no-activity",
            Severity.CRITICAL if is_critical else Severity.WARNING,
            company,
            f"the bot has written nothing for {format_age(idle)} (limit {format_duration(limit)}); "
            "WhatsApp unlinks a device that is away for about 30 days",
            "Start the bot and let it connect. If the company is gone for good, remove its folder.",
            {"idle_seconds": int(idle.total_seconds()), "limit_seconds": int(limit.total_seconds())},
        )
    ]


LEAST_UNHEARD = timedelta(hours=12)


def inbound_finding(
    company: str, at: datetime, longest: timedelta, written: datetime, connection: str, now: datetime
) -> Finding | None:
    """Given when the last message came in and the longest silence of the days before, return whether this is unusual.

    Only of a bot that lives: it wrote something since, or its API says connected.
    """
    quiet, limit = now - at, max(LEAST_UNHEARD, 3 * longest)
    if quiet <= limit or (connection != "connected" and now - written > LEAST_UNHEARD):
        return None
    return Finding(
        "no-inbound",
        Severity.WARNING,
        company,
        f"no message has come in for {format_age(quiet)}, though the bot lives; in the days before never longer than "
        f"{format_age(longest)} (limit {format_duration(limit)})",
        "Write to the bot from another phone. If nothing comes in, restart it, and see its log: "
        f"{command('baileys-tools logs --company {}', company)}",
        {"quiet_seconds": int(quiet.total_seconds()), "limit_seconds": int(limit.total_seconds())},
    )


def _growth_findings(company: str, facts: FolderFacts, now: datetime) -> Iterator[Finding]:
    if len(facts.of(Kind.PRE_KEY)) < GROWN:
        return
    from baileys_tools.watching.rules.growth import growth_findings

    yield from growth_findings(company, facts, now)


def _held_silent(company: str, idle: timedelta, rules: HealthRules) -> Finding:
    limit = rules.cleanup_silence
    return Finding(
        "cleanup-held-silent",
        Severity.NOTICE,
        company,
        f"the bot has written nothing for {format_age(idle)} (limit {format_duration(limit)}): cleanups leave its "
        "folder alone until it writes again",
        "Nothing to do: what waits for the bot needs every key. Is it meant to be off?",
        {"idle_seconds": int(idle.total_seconds()), "limit_seconds": int(limit.total_seconds())},
    )


# --- creds.json ---------------------------------------------------------------------------------------------

_LOST = {
    CredsState.MISSING: "creds-missing",
    CredsState.EMPTY: "creds-empty",
    CredsState.UNREADABLE: "creds-unreadable",
    CredsState.ENCODING: "creds-encoding",
    CredsState.INCOMPLETE: "creds-incomplete",
    CredsState.UNPAIRED: "creds-unpaired",
}
CREDS_LOST = frozenset(_LOST.values())
"""The codes of a folder that had a session and has none that a bot could go on with."""


def _creds_findings(company: str, facts: FolderFacts, *, was_linked: bool) -> Iterator[Finding]:
    """Baileys takes creds that it cannot read for none, and makes a new identity over them.

    (`Utils/use-multi-file-auth-state.js`: `readData` answers null to any error, and then comes
    `initAuthCreds`.) Before the first login there is nothing to lose: no file at all, or creds alone.
    """
    state = state_of(facts.creds)
    code, restore = _LOST.get(state, ""), command("baileys-tools restore --company {} --dry-run", company)
    if (linked := _linked(company, facts, state)) is not None:
        yield linked
    if state is CredsState.LINKED:
        return
    if state is CredsState.TOO_LARGE:
        yield _too_large(company)
    elif not state.is_lost(was_linked=was_linked or show_a_login(state, facts.names)):
        if state is CredsState.MISSING:
            yield _not_linked_yet(company, "the folder is empty")
        elif state is CredsState.UNPAIRED:
            yield _not_linked_yet(company, "creds.json is not linked to an account")
    elif state is CredsState.INCOMPLETE:
        action = f"Stop the bot, then: {_anew(facts.creds)}{_way_back(company, facts)}"
        yield Finding(code, Severity.EMERGENCY, company, _incomplete(facts.creds), action)
    elif state is CredsState.UNPAIRED:
        yield Finding(
            code,
            Severity.EMERGENCY,
            company,
            f"{state.said}, though this folder has been logged in before: the session was replaced or logged out",
            f"Stop the bot. If the account still lists the device: {restore}. Else link it anew by QR code.",
        )
    else:
        others = facts.file_count - len(facts.of(Kind.CREDS))
        beside = f", beside {counted(others, 'other file')}" if others else ", and no other file is there"
        yield Finding(
            code,
            Severity.EMERGENCY,
            company,
            f"{_said(facts, state)}{beside}: the bot will take this for a new installation and ask for a QR code",
            f"{_may_help(facts, state)}{_not_lost(facts, state)}Stop the bot before it writes a new identity, then: "
            f"{_way_back(company, facts)}",
            {"other_files": others},
        )


def _said(facts: FolderFacts, state: CredsState) -> str:
    if state is CredsState.UNREADABLE and not facts.creds_refused:
        return "creds.json is cut off or overwritten (no JSON object)"
    if state is CredsState.MISSING and _is_linked(facts):
        return "creds.json is a symbolic link, and what it leads to is missing"
    if facts.creds_refused and _is_linked(facts):
        return "creds.json is a symbolic link that leads in a circle, to no file, or where nobody may read"
    return state.said


def _may_help(facts: FolderFacts, state: CredsState) -> str:
    if state is CredsState.ENCODING:
        return "Keep a copy and save it as UTF-8 without a mark: it may be whole but for that. If not: "
    if state is CredsState.MISSING and _is_linked(facts):
        return "Is its volume mounted (readlink -f creds.json)? If not, mount it: nothing is lost. If so: "
    if facts.creds_refused and _is_linked(facts):
        return "Where does it lead (readlink creds.json)? Is its file there, lead it there: nothing is lost. If not: "
    if facts.creds_refused:
        return (
            "May this user and the bot read it (ls -l creds.json)? If not, chown or chmod 600 is all. If so: "
        )
    return ""


def _not_lost(facts: FolderFacts, state: CredsState) -> str:
    own = next(filter(is_form_of_its_own, facts.creds_copies), "") if state is CredsState.MISSING else ""
    if not own:
        return ""
    return (
        f"Does the bot itself keep its creds as {printable(own)}? Then nothing is lost, and this tool does not read "
        "them. If not: "
    )


def _incomplete(creds: Creds | CredsState) -> str:
    lacks = creds.lacks if isinstance(creds, Creds) and creds.of_a_bot else ""
    if lacks in COUNTERS:
        return (
            f"creds.json has no number as {lacks}: the bot logs in, but makes no new pre-keys or writes over those "
            "that it has, so that new chats break"
        )
    if isinstance(creds, Creds) and creds.is_written:
        return f"creds.json has {printable(lacks)} in a form that no version of Baileys reads: the bot stops there"
    if lacks:
        return f"creds.json lacks {printable(lacks)}: the bot cannot go on with it"
    return f"{CredsState.INCOMPLETE.said}: it is another program's"


def _anew(creds: Creds | CredsState) -> str:
    if not isinstance(creds, Creds) or not creds.is_written:
        return ""
    return "write its keys in base64 (baileys-tools explain creds-form), nothing is lost. If that cannot be: "


def _way_back(company: str, facts: FolderFacts) -> str:
    restore = command("baileys-tools restore --company {} --dry-run", company)
    if not facts.creds_copies:
        return restore
    name = facts.creds_copies[0]
    from_bak = command("baileys-tools restore --company {} --from-bak --dry-run", company)
    return f"{from_bak} ({printable(name)} is there). If that cannot be used: {restore}"


def _is_linked(facts: FolderFacts) -> bool:
    return any(odd.name == CREDS and odd.what == "a symbolic link" for odd in facts.oddities)


def _linked(company: str, facts: FolderFacts, state: CredsState) -> Finding | None:
    if not _is_linked(facts) or state is CredsState.MISSING or facts.creds_refused:
        return None
    look = command("baileys-tools inspect --company {} -v", company)
    if state is CredsState.LINKED:
        return Finding(
            "creds-linked",
            Severity.WARNING,
            company,
            "creds.json is a symbolic link that leaves the folder's owner (or leads to a file of two names), so nobody "
            "here reads it or knows whether the bot can log in with it",
            f"Is the link meant (readlink -f creds.json)? Give its file to the owner of the folder. See: {look}",
        )
    return Finding(
        "creds-linked",
        Severity.NOTICE,
        company,
        "creds.json is a symbolic link; it is read where it leads, and no restore writes through it",
        "Nothing to do where that is meant. A save that the bot makes by rename puts a plain file in its place.",
    )


def _too_large(company: str) -> Finding:
    return Finding(
        "creds-too-large",
        Severity.WARNING,
        company,
        "creds.json is too large to judge, so nobody here knows whether the bot can log in with it",
        "Look what fills it (ls -l creds.json), with the bot stopped: a whole one seldom has over 1 MiB.",
    )


def _not_linked_yet(company: str, why: str) -> Finding:
    return Finding(
        "not-linked-yet",
        Severity.NOTICE,
        company,
        f"{why}: it waits for its first login",
        "Start the bot and scan its QR code.",
    )


# --- what does not belong there, and time -------------------------------------------------------------------


def _clock_findings(company: str, facts: FolderFacts, now: datetime) -> Iterator[Finding]:
    if clock_is_implausible(rewritten(facts), nanoseconds(now)):
        yield Finding(
            "clock-implausible",
            Severity.WARNING,
            company,
            f"this host's clock says {now:%Y-%m-%d %H:%M} UTC, which does not fit the files (over a day behind "
            "the newest, or over a year ahead)",
            "Check it with: timedatectl. Until it fits, nothing is removed by age.",
        )
