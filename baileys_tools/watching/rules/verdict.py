"""How a company is: one state and the reason for it. Every command asks here, and shows what it is told.

Pure. A level is about the number of files, a state about the company: a full folder says nothing of its login, nor the
other way round. What is known of folder, log, process and connection comes as findings, so the worst finding is the
state, and which of equally bad ones is named first is settled here as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.findings import SEVERITY_OF_LEVEL, Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.thresholds import LEVELS, Level
from baileys_tools.watching.rules.health import CREDS_LOST

if TYPE_CHECKING:
    # The watching pays for every import at every minute.
    from baileys_tools.bots.rules.diagnosis import Diagnosis
    from baileys_tools.sessions.rules.forecast import Forecast
    from baileys_tools.sessions.rules.removals import Cleaned
    from baileys_tools.watching.rules.incidents import Service
else:
    Cleaned = Diagnosis = Forecast = Service = object


class CompanyState(StrEnum):
    """How a company is, mildest first."""

    HEALTHY = "healthy"
    """Nothing was found that is worth a warning."""
    WARNING = "warning"
    CRITICAL = "critical"
    EMERGENCY = "emergency"
    UNREADABLE = "unreadable"
    """Its folder cannot be read, so nobody knows how it is."""
    GONE = "gone"
    """Its folder has vanished."""

    @property
    def rank(self) -> int:
        """A number to compare and sort by, higher is worse."""
        return STATES.index(self)


STATES = tuple(CompanyState)
"""The states, mildest first."""

_OF_SEVERITY = {
    Severity.NOTICE: CompanyState.HEALTHY,
    Severity.WARNING: CompanyState.WARNING,
    Severity.CRITICAL: CompanyState.CRITICAL,
    Severity.EMERGENCY: CompanyState.EMERGENCY,
}

_CREDS = (
    "creds-missing",
    "creds-empty",
    "creds-unreadable",
    "creds-encoding",
    "creds-incomplete",
    "creds-unpaired",
)
_FIRST = (
    "folder-gone",
    "folder-unreadable",
    *_CREDS,
    "device-removed",
    "account-twice",
    "two-processes",
    "bot-cannot-write",
    "foreign-owner",
    "left-stopped",
    "process-down",
    "connection-lost",
    "bot-away",
    "file-count",
    "disk-low",
    "inodes-low",
)
"""Of equally bad findings these are named first, in this order: what keeps a bot away goes before what may do so."""
_PLACES = {code: place for place, code in enumerate(_FIRST)}

TELL_AWAY = frozenset(
    {
        *CREDS_LOST,
        "device-removed",
        "two-processes",
        "left-stopped",
        "process-down",
        "connection-lost",
        "bot-away",
        "folder-gone",
    }
)
"""The codes that say, by themselves, that the bot is away or cannot come back."""


class CompanyVerdict(NamedTuple):
    """The state of a company, and the finding that makes it so; None for a healthy one."""

    state: CompanyState
    reason: Finding | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was found that is worth a warning."""
        return self.state is CompanyState.HEALTHY

    @property
    def code(self) -> str:
        """The reason's code, "" where none is needed."""
        return self.reason.code if self.reason is not None else ""


def worst_finding_first(findings: Iterable[Finding]) -> list[Finding]:
    """Given findings, return them the worst first; equally bad ones in one order, whoever collected them."""
    return sorted(
        findings,
        key=lambda one: (-one.severity.rank, _PLACES.get(one.code, len(_FIRST)), one.code, one.message),
    )


def verdict_of(
    findings: Iterable[Finding], level: Level = Level.HEALTHY, *, trouble: str = "", is_gone: bool = False
) -> CompanyVerdict:
    """Given all that was found of a company, return how it is and why.

    `level` counts where no finding speaks of it: one that no cleanup can lower is a warning, whatever its name.
    `trouble` says why the folder cannot be read, `is_gone` that it has vanished.
    """
    ordered = worst_finding_first(findings)
    first = ordered[0] if ordered and ordered[0].severity is not Severity.NOTICE else None
    if is_gone:
        gone = (one for one in ordered if one.code == "folder-gone")
        return CompanyVerdict(CompanyState.GONE, next(gone, first))
    if trouble:
        unread = (one for one in ordered if one.code == "folder-unreadable")
        return CompanyVerdict(CompanyState.UNREADABLE, next(unread, first))
    severity = first.severity if first is not None else Severity.NOTICE
    if SEVERITY_OF_LEVEL[level].rank > severity.rank and all(one.code != "file-count" for one in ordered):
        severity = SEVERITY_OF_LEVEL[level]
    return CompanyVerdict(_OF_SEVERITY[severity], first)


def trouble_told(one: "CompanyStatus") -> str:
    """Return what says, by itself, that a bot is away or cannot come back, "" where nothing does."""
    for finding in one.findings:
        if finding.code in TELL_AWAY and finding.severity.rank >= Severity.CRITICAL.rank:
            return f"{finding.code}: {finding.message}"
    return ""


def away_finding(company: str, diagnosis: Diagnosis, told: Iterable[Finding]) -> Finding | None:
    """Given why a bot is away as far as its API, process and log tell, return the finding; None where nothing is, or
    where a finding that was `told` says so already.
    """
    from baileys_tools.bots.rules.diagnosis import Cause, Confidence

    quiet = (Cause.HEALTHY, Cause.NOT_LINKED, Cause.UNKNOWN, Cause.RESTARTING)
    if diagnosis.cause in quiet or any(one.code in TELL_AWAY for one in told):
        return None
    is_a_guess = diagnosis.confidence is Confidence.POSSIBLE
    if is_a_guess and any(one.code == "log-silent" for one in told):
        return None
    return Finding(
        "bot-away",
        Severity.WARNING if is_a_guess else Severity.CRITICAL,
        company,
        f"the bot is away ({diagnosis.cause.value}, {diagnosis.confidence.value}): "
        f"{'; '.join(diagnosis.evidence)}",
        f"{command('baileys-tools recover --company {} --dry-run', company)} says why and what to do",
        {"cause": diagnosis.cause.value, "confidence": diagnosis.confidence.value},
    )


class CompanyStatus(NamedTuple):
    """One company at one moment: what a pass saw of it, for every command.

    `guarded` pre-keys do not count for the thresholds, nor do `uncounted` files, by their kind. `connection` is what
    the bot's API said, "" when nobody asked.
    `last_activity`, `cleaned` and `last_snapshot` are None where nothing is known of one. `growth` is in counted files
    per day, None when history is too thin; `forecast` says when the next level begins. `trouble` says why the folder
    cannot be read: then the numbers are those of an earlier look, or zero. `service` is how well it served in 30 days,
    None where nobody is asked whether the bot is connected. `size` is None where all files were never looked at.
    `listed`: its folder was listed in this pass. `running` is None where no process is named, or its manager does not
    say. `diagnosis` is None where neither API nor process nor log is configured. `inbound` is when the last message
    came in, None where that is not known.
    """

    id: str
    path: str
    level: Level
    files: int
    guarded: int
    by_kind: Mapping[str, int]
    creds: CredsState
    connection: str = ""
    last_activity: datetime | None = None
    cleaned: Cleaned | None = None
    last_snapshot: datetime | None = None
    growth: float | None = None
    forecast: Forecast | None = None
    findings: Sequence[Finding] = ()
    trouble: str = ""
    service: Service | None = None
    is_gone: bool = False
    size: int | None = None
    listed: bool = False
    running: bool | None = None
    diagnosis: Diagnosis | None = None
    inbound: datetime | None = None
    uncounted: int = 0

    @property
    def counted(self) -> int:
        """Files that count for the thresholds."""
        return self.files - self.guarded - self.uncounted

    @property
    def creds_shown(self) -> str:
        """The state of creds in a table: "ok", or what is wrong."""
        return "ok" if self.creds is CredsState.VALID else self.creds.value

    @property
    def worst(self) -> Severity:
        """The worst severity found here."""
        return max((one.severity for one in self.findings), key=lambda one: one.rank, default=Severity.NOTICE)

    @property
    def verdict(self) -> CompanyVerdict:
        """How it is, and why."""
        return verdict_of(self.findings, self.level, trouble=self.trouble, is_gone=self.is_gone)

    @property
    def state(self) -> CompanyState:
        """How it is, in one word."""
        return self.verdict.state


def worst_company_first(companies: Iterable[CompanyStatus]) -> list[CompanyStatus]:
    """Given companies in natural order, return them the worst first.

    By their state; of equals a session that may be lost is worse than a folder that is full.
    """
    return sorted(companies, key=badness, reverse=True)


def badness(one: CompanyStatus) -> tuple[int, int, bool, int, int]:
    """Return by what a company is worse than another: of two, the greater one."""
    lost = bool(one.trouble) or one.creds is not CredsState.VALID
    return (one.worst.rank, one.state.rank, lost, LEVELS.index(one.level), one.counted)


def states_of(companies: Sequence[CompanyStatus]) -> dict[CompanyState, int]:
    """Given companies, return how many are in each state that there is, the worst first."""
    found = [company.state for company in companies]
    return {one: found.count(one) for one in reversed(STATES) if one in found}
