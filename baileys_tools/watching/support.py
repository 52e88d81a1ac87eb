"""`support-bundle`: what others need to know to help, in one text, and nothing of whose bots these are."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from baileys_tools import __version__
from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.config.bot_kinds import PRESETS
from baileys_tools.config.companies import key_in
from baileys_tools.config.kinds import SCHEDULE, Secret
from baileys_tools.config.schema import SCHEMA
from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, USE
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError, why
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import misplaced, require_file, settings_read
from baileys_tools.frame.show.json_text import envelope, known_timestamp, timestamp
from baileys_tools.sessions.rules.records import CREDS
from baileys_tools.state.database import State, open_state
from baileys_tools.state.places import known_places
from baileys_tools.thresholds import LEVELS
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import STATES, CompanyStatus
from baileys_tools.watching.support_names import Names, hidden, hides_for, installed

MOST_COMPANIES = 30
MOST_RUNS = 60
MOST_INCIDENTS = 20
MOST_ENTRIES = 30
LOOKED_BACK = timedelta(days=7)

_FEW_WORDS = frozenset(("all", "allow", "skip", "removable", "keep", "off", *PRESETS))
"""What a setting of few words may be; any other text is of the operator's own."""


def support_command(given: CommandLine, *, output: str | None) -> ExitCode:
    """Given the command line, print the bundle, or write it to `output` with mode 0600, and return the exit code.

    What cannot be looked at is said in the bundle, and ends nothing: it is asked for when something is wrong.
    """
    from baileys_tools.watching.show import support_text

    now = datetime.now(UTC)
    bundle, settings = support_bundle(given.flags, given.config, now)
    if given.as_json:
        text, mark = envelope("support-bundle", now, ExitCode.DONE, bundle), support_text.JSON_MARK
    else:
        text, mark = support_text.support_markdown(bundle, timestamp(now)), support_text.MARK
    if output is None or output == "-":
        print(text)
        return ExitCode.DONE
    if settings is not None:
        require_file(settings, "--output", output, mark)
    elif os.path.lexists(os.path.join(os.path.dirname(output) or ".", CREDS)):
        raise UsageError(f"--output: {output} would stand in a session folder", "Name another folder.")
    from baileys_tools.frame.own_file import write_own_file

    try:
        write_own_file(output, text.encode() + b"\n", mark)
    except OSError as error:
        raise BaileysToolsError(
            f"cannot write {output}: {error.strerror}", "Name a file in a folder of your own."
        ) from error
    from baileys_tools.units import printable

    print(f"written: {printable(output)}. Read it before you pass it on.", file=sys.stderr)
    return ExitCode.DONE


def support_bundle(
    flags: Mapping[str, object], config: str | None, now: datetime
) -> tuple[dict[str, Any], Settings | None]:
    """Return the bundle, all of it masked, and the settings in force (None where they are invalid)."""
    names = Names()
    troubles: list[dict[str, str]] = []
    bundle: dict[str, Any] = {"versions": _versions(), "troubles": troubles}
    loaded: LoadedSettings | None = None
    try:
        loaded = settings_read(flags, config)
    except BaileysToolsError as error:
        troubles.append({"part": "settings", "why": error.message})
    bundle |= {"settings": [], "doctor": [], "census": None, "companies": [], "runs": [], "incidents": []}
    if loaded is not None:
        bundle["settings"] = _settings(loaded, names)
        if wrong := misplaced(loaded):
            # To look further is to write there.
            troubles.append({"part": "the rest", "why": "; ".join(f"{one.name}: {one.why}" for one in wrong)})
        else:
            _look(bundle, loaded, names, now)
    # Names of settings are ours, those of companies in them were changed already.
    ours = frozenset(row["setting"] for row in bundle["settings"])
    bundle = hidden(bundle, hides_for(loaded, names, ours))
    return bundle, loaded.settings if loaded is not None else None


def _look(bundle: dict[str, Any], loaded: LoadedSettings, names: Names, now: datetime) -> None:
    from baileys_tools.config import require_sessions_path
    from baileys_tools.frame.record import recorded
    from baileys_tools.host.doctor import run_doctor
    from baileys_tools.watching.status import fleet_status

    settings = loaded.settings

    def part(name: str, work: Callable[[], Any]) -> None:
        try:
            bundle[name] = work()
        except BaileysToolsError as error:
            if error.exit_code is ExitCode.NOT_FOUND and settings.sessions.companies:
                raise  # a slip of the pen is no trouble of the host
            bundle["troubles"].append({"part": name, "why": error.message})
        except OSError as error:
            bundle["troubles"].append({"part": name, "why": why(error)})

    with (
        open_state(settings.state.dir, now) as state,
        recorded("support-bundle", settings, now, is_pinged=False) as run,
    ):
        run.state = state
        if state.trouble:
            bundle["troubles"].append({"part": "state", "why": state.trouble})
        found: list[FleetStatus] = []

        def census() -> dict[str, Any]:
            found.append(fleet_status(settings, require_sessions_path(loaded), state, now))
            return _census(found[0])

        part("census", census)
        if found:
            for one in found[0].companies:
                names.of(one.id)
            shown = found[0].companies[:MOST_COMPANIES]
            part("companies", lambda: [_company(one, state, names, now) for one in shown])
        part("incidents", lambda: _incidents(state, settings, names, now))
        for name in known_places(state).values():
            names.of(name)
        part("runs", lambda: _runs(state, now))
        run.ended(ExitCode.DONE)
    part("doctor", lambda: [
        {"name": one.name, "outcome": one.outcome.value, "message": one.message}
        for one in run_doctor(loaded, now)
    ])  # fmt: skip


def _versions() -> dict[str, Any]:
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    return {
        "baileys-tools": __version__,
        "python": platform.python_version(),
        "system": f"{system.get('ID', platform.system())} {system.get('VERSION_ID', '')}".strip().lower(),
        "kernel": ".".join(platform.release().split("-")[0].split(".")[:2]),
        "machine": platform.machine(),
        "root": "yes" if os.geteuid() == 0 else "no",
        "libraries": dict(installed()),
    }


def _settings(loaded: LoadedSettings, names: Names) -> list[dict[str, str]]:
    """Return what is not the default: values of few words and numbers in full, of all else only that it is given."""
    rows = []
    templates: dict[str, str] = {}
    for path, value in sorted(loaded.values.items()):
        origin = loaded.origin.get(path, "default")
        if origin == "default" or path.endswith(f".{USE}"):
            continue
        setting = SCHEMA.setting(path)
        shown = path
        if path.startswith((OF_COMPANY, OF_TEMPLATE)):
            key = key_in(path)
            is_company = path.startswith(OF_COMPANY)
            called = names.of(key) if is_company else templates.setdefault(key, f"t{len(templates) + 1}")
            shown = f"{'companies' if is_company else 'templates'}.{called}.{setting.path}"
        rows.append({"setting": shown, "value": _value(setting, value), "from": _source(origin)})
    return rows


def _value(setting: Any, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Secret):
        return "(given)"
    if isinstance(value, tuple):
        return f"({len(value)} given)"
    is_plain = isinstance(value, bool | int | timedelta) or setting.kind is SCHEDULE
    return (
        str(setting.show(value))
        if is_plain or (isinstance(value, str) and value in _FEW_WORDS)
        else "(given)"
    )


def _source(origin: str) -> str:
    """Return what kind of place a value came from: the place itself may be somebody's name."""
    kind = origin.partition(" ")[0]
    return kind if kind in ("flag", "environment") else "file"


def _census(status: FleetStatus) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for one in status.companies:
        kinds.update(one.by_kind)
        codes.update({finding.code for finding in one.findings})
    return {
        "companies": len(status.companies),
        "files": sum(one.files for one in status.companies),
        "counted_files": sum(one.counted for one in status.companies),
        "by_kind": dict(kinds),
        "levels": {level.value: status.at_level(level) for level in LEVELS},
        "states": {one.value: status.states.get(one, 0) for one in STATES},
        "findings": dict(codes.most_common()),
    }


def _company(one: CompanyStatus, state: State, names: Names, now: datetime) -> dict[str, Any]:
    from baileys_tools.bots.log_hours import hours_since

    log: Counter[str] = Counter()
    for hour in hours_since(state, one.id, now - LOOKED_BACK):
        log[hour.event.value] += hour.number
    return {
        "company": names.of(one.id),
        "state": one.state.value,
        "level": one.level.value,
        "files": one.files,
        "counted_files": one.counted,
        "by_kind": dict(one.by_kind),
        "creds": one.creds.value,
        "connection": one.connection or None,
        "running": one.running,
        "diagnosis": None if one.diagnosis is None else one.diagnosis.cause.value,
        "last_activity": known_timestamp(one.last_activity),
        "last_inbound": known_timestamp(one.inbound),
        "last_cleanup": known_timestamp(one.cleaned.at if one.cleaned else None),
        "last_snapshot": known_timestamp(one.last_snapshot),
        "growth_per_day": None if one.growth is None else round(one.growth, 1),
        "trouble": one.trouble,
        "findings": [
            {"code": found.code, "severity": found.severity.value, "message": found.message}
            for found in one.findings
        ],
        "log_events": dict(log),
    }


def _runs(state: State, now: datetime) -> list[dict[str, Any]]:
    from baileys_tools.state.runs import runs_since

    return [
        {
            "started": timestamp(run.started),
            "command": run.command,
            "seconds": round((run.finished - run.started).total_seconds(), 1),
            "exit_code": run.exit_code,
            "dry_run": run.dry_run,
            "by": "job" if run.job else "page" if run.started_by else "person",
            "counts": dict(run.counts),
        }
        for run in runs_since(state, now - LOOKED_BACK)[-MOST_RUNS:]
    ]


def _incidents(state: State, settings: Settings, names: Names, now: datetime) -> list[dict[str, Any]]:
    from baileys_tools.watching.incidents import list_incidents

    found = list_incidents(state, settings.sessions.companies, now, settings).incidents[:MOST_INCIDENTS]
    return [
        {
            "company": names.of(incident.company),
            "opened": timestamp(incident.opened),
            "closed": known_timestamp(incident.closed),
            "cause": incident.cause,
            "timeline": [
                {"at": timestamp(entry.at), "what": entry.what, "detail": entry.detail}
                for entry in timeline[-MOST_ENTRIES:]
            ],
        }
        for incident, timeline in found
    ]
