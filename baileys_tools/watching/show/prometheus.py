"""A pass of watching as metrics: the text format that the textfile collector of node_exporter reads.

Names follow https://prometheus.io/docs/practices/naming/, and `promtool check metrics` holds them to it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from baileys_tools.findings import Severity
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.thresholds import LEVELS, Level
from baileys_tools.units import printable
from baileys_tools.watching.rules.incidents import Service
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.rules.watch import CommandRun, MonitorReport

MARK = b"# HELP baileys_tools_"
"""What every such text begins with."""

_CONNECTION = {"connected": 1, "connecting": 0, "disconnected": 0}

_Labels = Mapping[str, str]
_Sample = tuple[_Labels, float | int]


class _Metric(NamedTuple):
    name: str
    help: str
    samples: Iterable[_Sample]


def prometheus_text(
    report: MonitorReport,
    runs: Iterable[CommandRun] = (),
    services: Mapping[str, Service] | None = None,
    namesakes: Mapping[str, str] | None = None,
) -> str:
    """Given a pass, the last run of each command and how each company served, return the metrics: all gauges.

    `namesakes` are the companies whose name others have as well, by their paths, which then are a label.
    """
    paths = namesakes or {}
    lines = []
    for metric in (
        *_of_the_pass(report),
        *_of_companies(report.companies),
        *_of_runs(runs),
        *_of_services(services or {}),
    ):
        samples = list(metric.samples)
        if samples:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} gauge"]
            lines += [
                f"{metric.name}{_labels(_told_apart(labels, paths))} {value}" for labels, value in samples
            ]
    return "\n".join(lines) + "\n"


def _told_apart(labels: _Labels, paths: Mapping[str, str]) -> _Labels:
    path = paths.get(labels.get("company", ""))
    return {**labels, "path": path} if path else labels


def _of_the_pass(report: MonitorReport) -> Iterator[_Metric]:
    prefix = "baileys_tools_"
    yield _Metric(
        f"{prefix}monitor_timestamp_seconds",
        "When monitor-once last looked.",
        [({}, int(report.now.timestamp()))],
    )
    yield _Metric(f"{prefix}companies", "Companies that were looked at.", [({}, len(report.companies))])
    limits = report.thresholds
    named = zip(
        LEVELS[1:],
        (limits.warning, limits.critical, limits.trigger, limits.emergency, limits.danger + 1),
        strict=True,
    )
    yield _Metric(
        f"{prefix}threshold_files",
        "Counted files from which on a level holds.",
        [({"level": level.value}, limit) for level, limit in named],
    )
    yield _Metric(
        f"{prefix}findings",
        "Findings by severity; those of the host have an empty company.",
        [
            ({"company": company, "severity": severity.value}, count)
            for company, counts in _by_severity(report).items()
            for severity, count in counts.items()
        ],
    )


def _by_severity(report: MonitorReport) -> dict[str, dict[Severity, int]]:
    counts = {
        company: dict.fromkeys(Severity, 0) for company in ("", *(company.id for company in report.companies))
    }
    for finding in report.findings:
        counts[finding.company][finding.severity] += 1
    return counts


def _of_companies(companies: Iterable[CompanyStatus]) -> Iterator[_Metric]:
    watched = list(companies)

    def each(name: str, text: str, samples: Iterable[tuple[CompanyStatus, float | int | None]]) -> _Metric:
        found = [({"company": company.id}, value) for company, value in samples if value is not None]
        return _Metric(f"baileys_tools_{name}", text, found)

    yield each(
        "counted_files",
        "Files that count for the thresholds: all but guarded pre-keys.",
        ((one, one.counted) for one in watched),
    )
    yield each(
        "guarded_pre_keys",
        "Pre-keys that the server still hands out, which do not count.",
        ((one, one.guarded) for one in watched),
    )
    yield _Metric(
        "baileys_tools_files",
        "Files in the session folder by kind.",
        [
            ({"company": one.id, "kind": kind}, count)
            for one in watched
            for kind, count in sorted(one.by_kind.items())
        ],
    )
    yield each(
        "level",
        "Level by counted files: 0 healthy, 1 warning, 2 critical, 3 trigger, 4 emergency, 5 danger.",
        ((one, LEVELS.index(Level(one.level))) for one in watched),
    )
    yield _Metric(
        "baileys_tools_company_state",
        "State: 0 healthy, 1 warning, 2 critical, 3 emergency, 4 unreadable, 5 gone; the reason is the worst finding.",
        [({"company": one.id, "reason": one.verdict.code}, one.state.rank) for one in watched],
    )
    yield each(
        "creds_valid",
        "1 where creds.json can be read and is linked to an account.",
        ((one, int(one.creds is CredsState.VALID)) for one in watched),
    )
    yield each(
        "connected",
        "1 where the bot's API says that it is connected; nothing where that is not known.",
        ((one, _CONNECTION.get(one.connection)) for one in watched),
    )
    yield each(
        "session_size_bytes", "Size of all files in the session folder.", ((one, one.size) for one in watched)
    )
    yield each(
        "last_activity_timestamp_seconds",
        "When the bot last wrote a file, looked at about once an hour.",
        ((one, _seconds(one.last_activity)) for one in watched),
    )
    yield each(
        "last_snapshot_timestamp_seconds",
        "When the newest snapshot that is not known to be damaged was taken.",
        ((one, _seconds(one.last_snapshot)) for one in watched),
    )


def _of_runs(last: Iterable[CommandRun]) -> Iterator[_Metric]:
    runs = sorted(last)
    yield _Metric(
        "baileys_tools_last_run_timestamp_seconds",
        "When a command last ran.",
        [({"command": run.command}, int(run.started.timestamp())) for run in runs],
    )
    yield _Metric(
        "baileys_tools_last_run_exit_code",
        "How that run ended.",
        [({"command": run.command}, run.exit_code) for run in runs],
    )


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    # Printable first: its own escapes begin with a backslash, and that is escaped in turn.
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')


def _of_services(services: Mapping[str, Service]) -> Iterator[_Metric]:
    prefix = "baileys_tools_company_"
    known = services.items()
    yield _Metric(
        f"{prefix}uptime_ratio",
        "Connected time over known time in 30 days.",
        [({"company": company}, one.uptime) for company, one in known if one.uptime is not None],
    )
    yield _Metric(
        f"{prefix}uptime_known_ratio",
        "Known time over 30 days.",
        [({"company": company}, one.known) for company, one in known],
    )
    yield _Metric(
        f"{prefix}recovery_seconds",
        "Mean length of the incidents that ended in 30 days.",
        [
            ({"company": company}, one.recovery.total_seconds())
            for company, one in known
            if one.recovery is not None
        ],
    )
    yield _Metric(
        f"{prefix}incidents",
        "Incidents that lasted or ended in 30 days.",
        [({"company": company}, one.incidents) for company, one in known],
    )
    yield _Metric(
        f"{prefix}reconnects_per_day",
        "Mean reconnects of a day in 30 days.",
        [({"company": company}, one.reconnects) for company, one in known if one.reconnects is not None],
    )
