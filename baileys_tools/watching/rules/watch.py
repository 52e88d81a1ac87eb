"""What watching keeps of each look at a session folder, when it looks again, and what a pass found.

Pure. A pass comes every minute, so a folder that stands still is not listed again: what the last look found is
remembered, and only what depends on the time is worked out anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, Severity, exit_code_for, worst
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.looks import Look, Stamp
from baileys_tools.thresholds import Thresholds, level_of
from baileys_tools.units import printable, some_of
from baileys_tools.watching.rules.health import CREDS_LOST
from baileys_tools.watching.rules.verdict import CompanyStatus

if TYPE_CHECKING:
    from baileys_tools.alerts.rules.silences import AlertSilence

FULL_EVERY = timedelta(minutes=50)
"""How often all files of a folder are looked at, for its size and its last activity, give or take `_SPREAD`."""
_SPREAD_MINUTES = 20

OBSERVED_EVERY = timedelta(hours=1)
"""How often a folder whose count moves is written down; a change of level, creds or connection is at once."""
OBSERVED_AT_LEAST = timedelta(days=1)
"""How often one that stands still is."""

GONE_FOR = timedelta(days=1)
"""How long a folder that has vanished is spoken of: who removed it on purpose need not say so anywhere."""


Key = tuple[str, str]
"""A finding's identity from pass to pass: company and code."""

SNAPSHOT_CODES = frozenset({"snapshot-missing", "snapshot-old", "snapshot-damaged", "backup-failed"})

MONITOR_CODES = SNAPSHOT_CODES | {
    *(
        *CREDS_LOST,
        "creds-linked",
        *("creds-form", "key-files-form"),
        "creds-too-large",
        "bot-cannot-write",
        "no-inbound",
        "foreign-owner",
        "account-twice",
        "old-folder-left",
    ),
    "pre-keys-growing",
    *("file-count", "pre-keys-gone", "memory-without-own-key", "lid-mapping-without-twin"),
    *("app-state-keys-missing", "clock-implausible", "no-activity", "unknown-files"),
    *(
        "bot-away",
        "connection-lost",
        "process-down",
        "process-unknown",
        "left-stopped",
        "restart-burst",
        "backup-unreadable",
        "disk-low",
        "inodes-low",
    ),
    *("device-removed", "two-processes", "reconnects-many", "session-burst", "log-silent", "log-unreadable"),
    *("connection-not-back", "messages-unreadable", "log-not-understood"),
    *("store-half-changed", "store-keys-expire", "store-rows-misfiled", "store-rows-unknown"),
    *("store-tenants-passed-by", "store-tenants-twice", "store-unsafe", "store-values-unread"),
    *("lock-held", "folder-gone", "folder-unreadable", "no-companies", "state-unreadable"),
}
"""What a pass looks for, notices apart, and beside `STANDING_CODES` (looking.py): of these, what it does not find is
over."""


def unreadable(trouble: str, known: Look | None) -> Look:
    """Given why a folder cannot be read and the look before, return the look that says so."""
    if known is None:
        return Look(
            Stamp(0, 0, 0, 0, 0, 0), False, 0, 0, {}, CredsState.UNKNOWN, False, 0, 0, 0, 0, (), trouble
        )
    return known._replace(settled=False, creds=CredsState.UNKNOWN, findings=(), trouble=trouble)


def without_files(look: Look) -> Look:
    """Given the last look at a folder that has vanished, return what is left of it: no file, and so no creds."""
    return look._replace(
        files=0, guarded=0, uncounted=0, by_kind={}, creds=CredsState.MISSING, full_at=0, size=0
    )


def full_look_is_due(company: str, look: Look, now: int) -> bool:
    """Whether all files of a folder should be looked at again: about hourly, each company at a minute of its own."""
    spread = sum(company.encode("utf-8", "surrogateescape")) % _SPREAD_MINUTES * 60
    age = now - look.full_at
    return age < 0 or age >= FULL_EVERY.total_seconds() + spread


def is_worth_history(look: Look, known: Look | None, thresholds: Thresholds, now: int) -> bool:
    """Whether a look says something that history does not have yet."""
    if look.trouble or look.gone_since:
        return False
    if known is None or not look.observed_at:
        return True
    before = (level_of(known.counted, thresholds), known.creds, known.connection)
    if before != (level_of(look.counted, thresholds), look.creds, look.connection):
        return True
    age = now - look.observed_at
    if age < 0 or age >= OBSERVED_AT_LEAST.total_seconds():
        return True
    return look.counted != look.observed_counted and age >= OBSERVED_EVERY.total_seconds()


def gone_finding(company: str, path: str, linked: bool, *, is_single: bool = False) -> Finding:
    """Given a company whose folder has vanished, return the finding. `is_single`: nothing else is looked after."""
    if is_single and linked:
        # Nobody takes a bot away and leaves its name in the settings: it is the loss of the login, until that ends.
        return Finding(
            "creds-missing",
            Severity.EMERGENCY,
            company,
            f"the session folder {path} is gone, and with it the login: the bot will take this for a new installation "
            "and ask for a QR code",
            "Stop the bot before it writes a new identity, then: "
            f"{command('baileys-tools restore --company {} --dry-run', company)}",
        )
    session = "and with it a linked session" if linked else "though no session was linked in it"
    return Finding(
        "folder-gone",
        Severity.CRITICAL if linked else Severity.WARNING,
        company,
        f"the session folder {path} is gone, {session}",
        "If that was on purpose, this ends by itself within a day. Else stop the bot, and then: "
        f"{command('baileys-tools snapshots --company {}', company)}",
    )


def moved_finding(company: str, to: str, at: datetime) -> Finding:
    """Given where `migrate` has moved a session to, return what there is to say of where it stood."""
    return Finding(
        "session-moved",
        Severity.NOTICE,
        company,
        f"`migrate` has moved this session to {printable(to)} ({at:%Y-%m-%d %H:%M} UTC): its creds are set "
        "aside here, and nothing logs in from here any more",
        "Nothing to do here but to take it away, once all is well there. Never restore it: two owners of one login "
        f"break every chat. The way back, while no bot has run there: {command('baileys-tools undo --list')}",
    )


_WITH_LOGIN = ("valid", "incomplete")
"""Conditions of creds that still are of a login (`Creds.condition`); a look remembers the login of lost ones, too."""


def login_of(look: Look) -> str:
    """Given a look at a company, return the login that its creds.json has, "" where it has none."""
    return look.login if look.creds in _WITH_LOGIN else ""


def same_logins(held: Mapping[str, str]) -> dict[str, list[str]]:
    """Given the login of each company, return by company the others whose creds.json belongs to the same device."""
    held = {company: login for company, login in held.items() if login}
    logins = list(held.values())
    if len(set(logins)) == len(logins):
        return {}  # as at nearly every minute
    companies: dict[str, list[str]] = {}
    for company, login in held.items():
        companies.setdefault(login, []).append(company)
    return {
        company: [other for other in those if other != company]
        for those in companies.values()
        if len(those) > 1
        for company in those
    }


def account_twice(company: str, others: Sequence[str]) -> Finding:
    """Given a company and the others that hold its login, return the finding."""
    named = some_of(others, 3)
    whose = f"company {named} has" if len(others) == 1 else f"the companies {named} have"
    return Finding(
        "account-twice",
        Severity.CRITICAL,
        company,
        f"{whose} the same login: bots that use both push each other out of it (440), and chats break",
        "Stop all of these bots but one. Move the folder that is the copy out of the sessions path, or give it a login "
        f"of its own: {command('baileys-tools reset --company {}', company)}",
        {"others": len(others)},
    )


class CommandRun(NamedTuple):
    """The last run of a command."""

    command: str
    started: datetime
    exit_code: int


class MonitorReport(NamedTuple):
    """One pass over one sessions path. `host` are the findings that belong to no company.

    `news` are the findings, as (code, company), that were not there at the last pass or are worse than then.
    `cleaned` says in a line for each company what `monitor.auto_cleanup` did, `removed` how many files went from each
    that it cleaned; `trouble` has what went wrong with
    telling others (alerts, the metrics file). `unknown` are the companies, and the (company, code), of which this pass
    could not tell how they are: nothing of them is over.
    """

    root: str
    now: datetime
    thresholds: Thresholds
    companies: Sequence[CompanyStatus]
    host: Sequence[Finding] = ()
    news: frozenset[tuple[str, str]] = frozenset()
    cleaned: Sequence[str] = ()
    removed: Mapping[str, int] = {}
    trouble: Sequence[str] = ()
    unknown: frozenset[str | Key] = frozenset()
    silences: Sequence["AlertSilence"] = ()
    """Those that hold: of what they are about nobody is told."""

    @property
    def findings(self) -> list[Finding]:
        """All findings, those of the host first."""
        return [*self.host, *(finding for company in self.companies for finding in company.findings)]

    @property
    def worst(self) -> Severity:
        return worst(self.findings)

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code: 0, 4 for a warning, 5 for anything worse."""
        return exit_code_for(self.worst)


def news_among(findings: Iterable[Finding], before: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Given findings and the severities of the last pass (`said_key`), return those that are new or worse."""
    return frozenset(
        (finding.code, finding.company)
        for finding in findings
        if finding.severity.rank > _rank(before.get(said_key(finding)))
    )


def said_key(finding: Finding) -> str:
    """Return the text that tells a finding from all others."""
    return f"{finding.code} {finding.company}"


_RANKS = {severity.value: severity.rank for severity in Severity}


def _rank(severity: str | None) -> int:
    return _RANKS.get(severity or "", -1)
