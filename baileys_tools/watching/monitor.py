"""`monitor-once`: one pass over all session folders, cheap enough for every minute."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.config import LoadedSettings, Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.companies import all_companies
from baileys_tools.frame.held_locks import is_time_to_look
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.layouts import real_path
from baileys_tools.sessions.roots import Root
from baileys_tools.state import memory
from baileys_tools.state.database import State, open_state, to_seconds
from baileys_tools.state.scope import root_key
from baileys_tools.state.spool import is_worth_taking_in, take_in
from baileys_tools.state.turns import taking_turns
from baileys_tools.thresholds import LEVELS, Level
from baileys_tools.units import printable
from baileys_tools.watching.asked import BotAnswers
from baileys_tools.watching.looking import STANDING_CODES
from baileys_tools.watching.monitor_pass import look_once, lost_root
from baileys_tools.watching.rules.verdict import trouble_told
from baileys_tools.watching.rules.watch import MONITOR_CODES, CommandRun, MonitorReport

if TYPE_CHECKING:
    # Whoever watches once a minute pays for every import.
    from baileys_tools.watching.rules.incidents import Service

COMMAND = "monitor-once"
THINNED = "thinned"
THIN_EVERY = timedelta(hours=6)
LONG_SILENCE = timedelta(days=7)
SILENCE = "silence"
"""What alerts/kept_silences.py keeps them under; that is loaded where there are any."""
TROUBLE = "monitor-trouble"
TROUBLE_EVERY = timedelta(hours=1)
"""How often `--quiet` prints the same trouble again."""
PATIENCE = 10.0
"""Seconds that a pass waits for another over the same sessions; one of cron's leaves it to the next minute."""


class MonitorOptions(NamedTuple):
    """How the command line wants the result."""

    as_json: bool = False
    nagios: bool = False
    notify: bool = True
    quiet: bool = False


def monitor_command(flags: Mapping[str, object], config: str | None, options: MonitorOptions) -> int:
    """Given the command line, look once, print the result once, and return the exit code (Nagios': 0 to 3)."""
    if not options.nagios:
        return _monitor(flags, config, options)
    from baileys_tools.watching.show.nagios import UNKNOWN, unknown_text

    try:
        if options.as_json:
            raise UsageError("--json and --nagios do not go together", "Choose one of them.")
        return _monitor(flags, config, options)
    except BaileysToolsError as error:
        print(unknown_text(error.message))
    except Exception as error:  # noqa: BLE001 - its exit code would be read as a warning about the bots
        from baileys_tools.frame.show.crash import report_crash

        report_crash(error)
        print(unknown_text(f"internal error: {type(error).__name__}; standard error says more"))
    return UNKNOWN


def _monitor(flags: Mapping[str, object], config: str | None, options: MonitorOptions) -> int:
    loaded = settings_in_force(flags, config)
    settings = loaded.settings
    now = datetime.now(UTC)
    is_cron = options.quiet and not options.nagios
    with (
        open_state(settings.state.dir, now) as state,
        recorded(COMMAND, settings, now, quiet=options.quiet) as run,
        taking_turns(state.folder, _about(settings), 0 if is_cron else PATIENCE) as is_our_turn,
    ):
        if not is_our_turn:
            if not is_cron:
                raise BaileysToolsError(
                    "another monitor-once is at work on these sessions", exit_code=ExitCode.LOCKED
                )
            run.ended(ExitCode.LOCKED)
            return ExitCode.LOCKED
        report = run_monitor(loaded, state, now, notify=options.notify)
        if options.quiet and report.news:
            report = _now_and_then(report, settings, state)
        if options.quiet and report.trouble:
            report = _trouble_now_and_then(report, state)
        run.ended(
            report.exit_code,
            report.removed,
            companies=len(report.companies),
            findings=len(report.findings),
            removed=sum(report.removed.values()),
        )
    return _show(report, options)


def _about(settings: Settings) -> str:
    """What a pass is about; two that look at other companies are in nobody's way."""
    root = real_path(settings.sessions.where or "")
    return "\0".join([root, *sorted(settings.sessions.companies)])


def _now_and_then(report: MonitorReport, settings: Settings, state: State) -> MonitorReport:
    """Return the report, while nothing can be remembered without news that cron would mail anew at every minute."""
    from baileys_tools.alerts import last_told

    if state.is_durable:
        last_told.prepare(state.folder, last_told.PRINTED)
        return report
    from baileys_tools.alerts.sending import rules_of
    from baileys_tools.findings import worst

    said = worst(finding for finding in report.findings if (finding.code, finding.company) in report.news)
    window = rules_of(settings.notify).window(said)
    is_time = last_told.is_time(state.folder, last_told.PRINTED, said.rank, window, report.now)
    return report if is_time else report._replace(news=frozenset())


def _trouble_now_and_then(report: MonitorReport, state: State) -> MonitorReport:
    """Return the report without trouble that was printed within the hour: cron mails each line of every minute."""
    if not state.is_durable:
        from baileys_tools.alerts import last_told

        rank = Severity.WARNING.rank
        is_time = last_told.is_time(state.folder, last_told.TROUBLE, rank, TROUBLE_EVERY, report.now)
        return report if is_time else report._replace(trouble=())
    about = root_key(state.scope.root)
    before, seconds = memory.recall(state, TROUBLE, about), to_seconds(report.now)
    if isinstance(before, dict) and before.get("lines") == [*report.trouble]:
        age = seconds - before.get("at", 0)
        if 0 <= age < TROUBLE_EVERY.total_seconds():
            return report._replace(trouble=())
    memory.keep(state, TROUBLE, {"lines": [*report.trouble], "at": seconds}, about)
    return report


def _show(report: MonitorReport, options: MonitorOptions) -> int:
    if options.nagios:
        from baileys_tools.watching.show.nagios import nagios_text

        text, code = nagios_text(report)
        print(text)
        return code
    if options.as_json:
        from baileys_tools.watching.show.monitor_json import monitor_json

        print(monitor_json(report))
        return report.exit_code
    for trouble in report.trouble:
        print(f"baileys-tools: {trouble}", file=sys.stderr)
    if options.quiet and not report.news and not report.cleaned:
        return report.exit_code
    from baileys_tools.frame.show.terminal import Style
    from baileys_tools.watching.show.monitor_text import monitor_text, news_text

    print(news_text(report) if options.quiet else monitor_text(report, Style()))
    return report.exit_code


def run_monitor(loaded: LoadedSettings, state: State, now: datetime, *, notify: bool = True) -> MonitorReport:
    """Look once at the companies that the settings choose, remember it, tell whoever is to be told.

    One company's trouble is part of the report and never stops the others. Raises BaileysToolsError when the
    sessions path cannot be read, and never held a company.
    """
    settings = loaded.settings
    if settings.learns:
        from baileys_tools.frame.baselines import with_baselines

        settings = with_baselines(settings, now, state)
    root_path = require_sessions_path(loaded)
    # In one minute of fifteen, all that is to be written at times.
    if is_time_to_look(state, settings, now) or is_worth_taking_in(state.folder, COMMAND):
        take_in(state)
    done: list[Finding] = []
    with Root(root_path, keep_lost=True) as root:
        try:
            if root.trouble is not None and not all_companies(root, settings, state):
                raise root.trouble
            report, asked = _look_and_clean(settings, root, state, now, done)
        except BaileysToolsError as error:
            lost = lost_root(settings, root, state, now) if error is root.trouble else None
            if lost is None:
                raise
            report = lost
        else:
            if not asked.is_nothing or _is_worth_an_incident(report, state):
                from baileys_tools.watching.history import note_pass

                note_pass(report, asked, state)
    if memory.recall_all(state, SILENCE):
        report = _silenced(report, state)
    if notify:
        report = _tell(report, settings, state, done)
    _thin_now_and_then(state, now)
    if settings.monitor.textfile is not None:
        services = _services(settings, report, state)
        trouble = _write_textfile(settings.monitor.textfile, report, state, services)
        report = report._replace(trouble=[*report.trouble, *trouble])
    return report


def _is_worth_an_incident(report: MonitorReport, state: State) -> bool:
    """Whether a pass saw trouble, or one before did that may be over."""
    return any(map(trouble_told, report.companies)) or bool(
        state.rows("SELECT 1 FROM incidents WHERE closed IS NULL LIMIT 1")
    )


def _silenced(report: MonitorReport, state: State) -> MonitorReport:
    """Return the report with the silences that hold, and without news of what they are about."""
    from baileys_tools.alerts.kept_silences import silences
    from baileys_tools.alerts.rules.silences import spoken

    found = silences(state, report.now)
    told = {(one.code, one.company) for one in spoken(report.findings, found)}
    return report._replace(silences=found, news=report.news & told)


def _look_and_clean(
    settings: Settings, root: Root, state: State, now: datetime, done: list[Finding]
) -> tuple[MonitorReport, BotAnswers]:
    report, asked = look_once(settings, root, state, now)
    full = _to_be_cleaned(report, settings, state)
    if not full:
        return report, asked
    cleaned, removed, trouble = _clean(settings, root, full, state, now, done)
    after, _ = look_once(settings, root, state, now, asked)
    news = report.news | after.news
    return after._replace(news=news, cleaned=cleaned, removed=removed, trouble=trouble), asked


def _tell(report: MonitorReport, settings: Settings, state: State, done: Sequence[Finding]) -> MonitorReport:
    """Send the alerts that are due; return the report with what became of them."""
    if not settings.tells_anybody:
        return report  # and nothing is loaded for it
    from baileys_tools.alerts.rules.alerts import LookedAt
    from baileys_tools.alerts.sending import send_alerts

    # What is spoken of no more, as its folder has been gone for a day, is not over because of that.
    companies = frozenset({"", *(company.id for company in report.companies)})
    # Where the bot's API is asked, a lost connection is what is told of it, once.
    asked = {company.id for company in report.companies if company.connection}
    told = [one for one in report.findings if one.code != "bot-away" or one.company not in asked]
    # A bot that is away is told as that; that its connection is not back is the same news, over no earlier.
    away = {(one.company, "connection-not-back") for one in told if one.code == "bot-away"}
    told = [one for one in told if (one.company, one.code) not in away]
    looked_at = LookedAt(MONITOR_CODES | STANDING_CODES, companies, report.unknown | away)
    outcome = send_alerts(state, settings, told, report.now, looked_at, done=done)
    return report._replace(host=[*report.host, *outcome.findings])


def _to_be_cleaned(report: MonitorReport, settings: Settings, state: State) -> list[str]:
    """Return the companies at emergency level that a cleanup could change something about, where the settings allow it.

    Those in which nothing has moved since they were cleaned are left to `trigger`: to look at all files of each at
    every minute would cost more than all the rest.
    """
    full = [
        company
        for company in report.companies
        if LEVELS.index(company.level) >= LEVELS.index(Level.EMERGENCY)
        and settings.for_company(company.id).monitor.auto_cleanup
    ]
    if not full:
        return []
    from baileys_tools.cleanup.triggering import FINISHED
    from baileys_tools.state.cooldowns import last_done

    return [
        company.id for company in full if (company.listed or last_done(state, FINISHED, company.id) is None)
    ]


def _clean(
    settings: Settings,
    root: Root,
    companies: Sequence[str],
    state: State,
    now: datetime,
    done: list[Finding],
) -> tuple[list[str], dict[str, int], list[str]]:
    """Clean full folders as `trigger` would; return a line for each, how many files went, and what went wrong.

    What is worth telling others is added to `done`.
    """
    from baileys_tools.cleanup.triggering import Told, run_emergency
    from baileys_tools.watching.show.monitor_text import cleaned_line

    def tell(told: Told) -> None:
        # All of it goes out in one message after the pass: that a cleanup begins would be read when it has ended.
        done.extend(one for one in told.news if one.code != "trigger-begins")

    try:
        report = run_emergency(settings, root.path, companies, state, now, tell=tell)
    except BaileysToolsError as error:
        return [], {}, [f"auto_cleanup: {error.message}"]
    if report is None:
        return [], {}, []
    return [cleaned_line(one) for one in report.companies if one.cleanup], report.removed_by_company, []


def _thin_now_and_then(state: State, now: datetime) -> None:
    last = memory.recall(state, THINNED)
    age = to_seconds(now) - last if isinstance(last, int) else -1
    if 0 <= age < THIN_EVERY.total_seconds():
        return
    from baileys_tools.bots.log_hours import thin_hours
    from baileys_tools.state.observations import thin_observations
    from baileys_tools.state.runs import thin_runs
    from baileys_tools.watching.kept_links import thin_links

    with state.transaction():
        # After a long silence it may be the clock that has leapt: for six hours more, nothing is forgotten by it.
        if 0 <= age < LONG_SILENCE.total_seconds():
            thin_observations(state, now)
            thin_runs(state, now)
            thin_hours(state, now)
            thin_links(state, now)
        memory.keep(state, THINNED, to_seconds(now))


def _services(settings: Settings, report: MonitorReport, state: State) -> "dict[str, Service]":
    if not settings.logs.files and not any(one.connection for one in report.companies):
        return {}
    from baileys_tools.watching.history import service_of

    return {
        one.id: service_of(state, one.id, report.now, settings.for_company(one.id).logs.reconnects_per_day)
        for one in report.companies
    }


def _write_textfile(
    path: str, report: MonitorReport, state: State, services: "Mapping[str, Service]"
) -> list[str]:
    from baileys_tools.frame.own_file import write_own_file
    from baileys_tools.watching.show.prometheus import MARK

    try:
        # node_exporter runs as a user of its own, and nothing in here is secret.
        text = metrics_of(report, state, services)
        write_own_file(path, text.encode(), MARK, mode=0o644)
    except OSError as error:
        return [f"the metrics file {printable(path)} cannot be written: {error.strerror}"]
    return []


def metrics_of(report: MonitorReport, state: State, services: "Mapping[str, Service]") -> str:
    """Given a pass and how each company served, return the metrics: those of the textfile and of the page."""
    from baileys_tools.state.places import namesakes
    from baileys_tools.state.runs import last_runs
    from baileys_tools.watching.show.prometheus import prometheus_text

    runs = [CommandRun(run.command, run.started, run.exit_code) for run in last_runs(state).values()]
    return prometheus_text(report, runs, services, namesakes(state))
