"""`setup`: five questions, then settings, a key, a look at the host, and the jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.config.host import Surroundings, named_config, own_config
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError, why
from baileys_tools.frame.places import require_places
from baileys_tools.frame.show.terminal import must_say_yes
from baileys_tools.host.config_commands import require_obeyed, run_init
from baileys_tools.host.sessions_found import find_sessions
from baileys_tools.host.show.setup_text import QUESTIONS, Answers, after_text, is_yes, plan_text
from baileys_tools.pasted import came_with, command
from baileys_tools.snapshots.encryption import Recipients, new_key
from baileys_tools.units import printable

USUAL_PLACES = (".", "~", "/srv", "/opt")
"""Where bots mostly are: the first of them with a session folder below it is what the first question offers."""


class SetupOptions(NamedTuple):
    """What the command line says; None and "" where it says nothing."""

    sessions: Sequence[str]
    webhook_file: str | None
    backup: str | None
    encrypt: bool | None
    recipient: str
    key: str | None
    jobs: bool | None
    config: str | None
    dry_run: bool
    yes: bool
    force: bool


def setup_command(options: SetupOptions) -> ExitCode:
    """Given the command line, ask what it leaves open, show what will be, and do it.

    5 where the host cannot do the job: then the settings stand and no job is installed.
    """
    now = datetime.now(UTC)
    came_with({}, options.config)
    host = Surroundings(os.environ)
    file = options.config or named_config(host) or own_config(host)
    if os.path.lexists(file) and not options.force:
        raise UsageError(
            f"{file} is there already: this host has been set up",
            f"Look at it: {command('baileys-tools --config {} config show', file)}, "
            f"{command('baileys-tools --config {} doctor', file)}. Anew, with what it says as a start: --force",
        )
    earlier = file if os.path.lexists(file) else None
    before = load_settings({}, os.environ, config=earlier)
    if not (options.yes or options.dry_run or sys.stdin.isatty()):
        must_say_yes("a setup", "")
    answers = _answers(options, before, host, file)
    for path in filter(None, (file, answers.key_file)):
        require_obeyed(path)
    loaded = load_settings(answers.flags, os.environ, config=earlier)
    require_places(loaded)
    companies = _found(loaded)
    if not companies:
        where = answers.sessions[0]
        raise BaileysToolsError(
            f"no session folder is found at {printable(where)}",
            f"{command('baileys-tools sessions --sessions {}', where)} says what is there; baileys-tools help layouts",
            exit_code=ExitCode.NOT_FOUND,
        )
    plan = plan_text(answers, companies, file)
    if options.dry_run or options.yes:
        print(plan)
    elif not must_say_yes("a setup", plan):
        print("nothing was written")
        return ExitCode.REFUSED
    if options.dry_run:
        return ExitCode.DONE
    return _set_up(answers, file, earlier, now)


def _set_up(answers: Answers, file: str, earlier: str | None, now: datetime) -> ExitCode:
    if answers.webhook:
        _write_private(answers.webhook_file, answers.webhook + "\n")
    if answers.key_file:
        public, secret = new_key()
        _write_private(answers.key_file, secret)
        answers = answers._replace(recipient=public)
    # Before the jobs are installed, whose own hints name the settings file in any case.
    after = after_text(answers)
    loaded = load_settings(answers.flags, {**os.environ, **answers.variables}, config=earlier)
    print(f"\n{run_init(Path(file), True, loaded)}\n")

    from baileys_tools.frame.show.terminal import Style
    from baileys_tools.host.doctor import run_doctor
    from baileys_tools.host.rules.doctor import exit_code_of
    from baileys_tools.host.show.doctor_text import doctor_text

    checks = run_doctor(load_settings({}, os.environ, config=file), now)
    # Its jobs come next.
    checks = [check for check in checks if check.name != "cron"] if answers.jobs else checks
    print(doctor_text(checks, Style()) + "\n")
    if exit_code_of(checks) is ExitCode.CRITICAL:
        again = command("baileys-tools --config {} cron install", file)
        print(f"No job was installed: mend what doctor calls critical, then {again}")
        return ExitCode.CRITICAL
    if answers.jobs:
        from baileys_tools.frame.command_line import CommandLine
        from baileys_tools.host.cron import install_command

        install_command(CommandLine({}, file), system=False, user=None, dry_run=False)
        print()
    print(after)
    return ExitCode.DONE


# --- the answers --------------------------------------------------------------------------------------------


def _answers(options: SetupOptions, before: LoadedSettings, host: Surroundings, file: str) -> Answers:
    settings, home = before.settings, host.home
    ask = _ask if not (options.yes or options.dry_run) else _take
    absolute = host.absolute_from(host.cwd)
    sessions = [*options.sessions]
    if not sessions and settings.sessions.roots:
        sessions = [root.path for root in settings.sessions.roots]
    if not sessions:
        typed = ask(0, settings.sessions.path or next(_usual_places(host), ""))
        if not typed:
            raise UsageError("no session folder is found here", "Say where they are: --sessions PATH")
        sessions = [typed]
    told, webhook = options.webhook_file, ""
    if told is None:
        told = before.secret_files.get("notify.webhook", "")
        told = ask(1, told)
        if told.startswith(("http://", "https://")):
            told, webhook = os.path.join(os.path.dirname(file), "webhook"), told
    backup = options.backup or ask(2, settings.backup.path or os.path.join(home, "baileys-backups"))
    recipient = options.recipient or next(iter(settings.backup.recipients), "")
    if recipient:
        Recipients([recipient])
    encrypt = options.encrypt
    if encrypt is None and not recipient:
        encrypt = _yes_or_no(ask, 3)
    key = (
        ""
        if recipient or not encrypt
        else absolute(options.key or os.path.join(home, "baileys-tools-key.txt"))
    )
    if key and os.path.lexists(key):
        raise UsageError(
            f"{key} is there already, and a key is never overwritten",
            "Use its public half, which age-keygen -y prints: --recipient age1...; or another file: --key FILE",
        )
    jobs = _yes_or_no(ask, 4) if options.jobs is None else options.jobs
    return Answers(
        [absolute(path) for path in sessions],
        webhook,
        absolute(told) if told else "",
        absolute(backup),
        recipient,
        key,
        jobs,
    )


def _take(question: int, default: str) -> str:
    return default


def _ask(question: int, default: str) -> str:
    print(f"{question + 1}/5 {QUESTIONS[question]}", file=sys.stderr)
    # On a line of its own there is room for a path, and for what is typed.
    usual = f"[{printable(default)}]: " if default else ""
    print(f"    {usual}", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise BaileysToolsError(
            "the questions were not answered to the end; nothing was written", exit_code=ExitCode.REFUSED
        )
    return line.strip() or default


def _yes_or_no(ask: Callable[[int, str], str], question: int) -> bool:
    while (answer := is_yes(ask(question, "yes"))) is None:
        print("Type yes or no.", file=sys.stderr)
    return answer


def _usual_places(host: Surroundings) -> Iterator[str]:
    """Yield the usual places below which a session folder stands."""
    absolute = host.absolute_from(host.cwd)
    for place in dict.fromkeys(map(absolute, USUAL_PLACES)):
        with suppress(BaileysToolsError, OSError):
            if _found(load_settings({"sessions.path": place}, {"HOME": host.home})):
                yield place


def _found(loaded: LoadedSettings) -> dict[str, int]:
    """Return what is found, by its name; what stands deeper too, by its pattern with the number of its folders."""
    found = find_sessions(loaded)
    named = {one.id: 1 for one in found.sessions}
    return named | {f"{one.pattern} ({one.number})": one.number for one in found.proposed}


def _write_private(path: str, text: str) -> None:
    """Write a new file of mode 0600. Raises BaileysToolsError; what is there already stays."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BaileysToolsError(f"cannot write {printable(path)}: {why(error)}") from error
