"""The command line: signatures and help. Each body is one lazy import and one call; only here is exited."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from baileys_tools.cli.quick import quick_command
from baileys_tools.cli.streams import lost_output, outlast_readers
from baileys_tools.ending import BrokenOff, hear_no_more, listen, say_last_words
from baileys_tools.errors import BaileysToolsError, ExitCode, why
from baileys_tools.units import printable

if TYPE_CHECKING:
    from typer.models import CommandInfo

MODULES = {
    "folders": ("cleanup", "undo", "policy"),
    "watching": ("status", "inspect", "monitor-once", "trigger", "notify", "silence"),
    "snapshots": ("backup", "snapshots", "verify", "prune", "keep", "diff", "restore"),
    "copies": ("copies",),
    "cures": ("resend-group-keys", "contact", "renew-sessions", "contacts"),
    "trouble": (
        "logs",
        "recover",
        "reset",
        "reconnect",
        "start-session",
        "init",
        "qr",
        "send-test",
        "incidents",
    ),
    "moving": ("migrate",),
    "settings": ("setup", "sessions", "config"),
    "page": ("serve",),
    "host": ("cron", "doctor", "report", "watch", "support-bundle", "help", "explain"),
}
"""Which module has which commands and groups, in the order of the help."""

PAIRS = frozenset({"cron", "config", "notify", "policy", "copies"})
"""Commands of two words. A test compares them with the groups that there are."""

GARBAGE_WORTH_A_SEARCH = 100_000
"""Objects made since the last search for garbage. Python's own 700 has it search dozens of times in a start, among
classes that all stay."""

COMPLETING = "_BAILEYS_TOOLS_COMPLETE"
"""The variable by which a shell asks for completions; typer makes its name from ours."""


SHARED_SWITCHES = frozenset({"--json", "--quiet", "-q", "--verbose", "-v"})
SHARED_VALUES = frozenset({"--sessions", "--company", "--config", "--identity"})
"""Options that are understood before the command, too. A command that has no such option says so."""


def _leading(words: Sequence[str]) -> int:
    """Return how many of the words the shared options before the command take, 0 where another option is among them.

    One more than there are while the last of them still waits for its value.
    """
    taken = 0
    while taken < len(words) and words[taken].startswith("-"):
        option, has_value, _ = words[taken].partition("=")
        if words[taken] in SHARED_SWITCHES or (has_value and option in SHARED_VALUES):
            taken += 1
        elif option in SHARED_VALUES:
            taken += 2
        else:
            return 0
    return taken


def behind_the_command(words: Sequence[str]) -> list[str]:
    """Given the words of the command line, return them with the shared options moved behind the command.

    Behind the second word where the first names a group, such as cron. Anything else is left for typer to answer.
    """
    moved = _leading(words)
    if not 0 < moved < len(words):
        return [*words]
    rest = words[moved:]
    behind = 2 if rest[0] in PAIRS and len(rest) > 1 and not rest[1].startswith("-") else 1
    return [*rest[:behind], *words[:moved], *rest[behind:]]


def completed_as(words: Sequence[str]) -> list[str]:
    """Given the words before the one at the TAB key, return those that typer is to complete it behind.

    After shared options comes the command, so they are passed over; the value of one is that of any command's.
    """
    leading = _leading(words)
    if leading > len(words):
        return ["status", *words]
    return [] if leading == len(words) else behind_the_command(words)


def load_commands(wanted: str) -> None:
    """Make the command or group `wanted` ready, and it alone; all of them when it is none.

    Typer builds every command at every start, a millisecond and more apiece; cron asks for one of them.
    """
    from baileys_tools.cli.app import app

    home = next((module for module, commands in MODULES.items() if wanted in commands), None)
    for module in MODULES if home is None else (home,):
        import_module(f"baileys_tools.cli.{module}")
    if home is not None:
        app.registered_commands = [one for one in app.registered_commands if _name(one) == wanted]
        app.registered_groups = [group for group in app.registered_groups if group.name == wanted]
    else:
        order = [name for commands in MODULES.values() for name in commands]
        app.registered_commands.sort(key=lambda command: order.index(_name(command)))
        app.registered_groups.sort(key=lambda group: order.index(str(group.name)))


def _name(command: CommandInfo) -> str:
    """Return what a command is called, as typer will call it."""
    return command.name or (command.callback.__name__ if command.callback is not None else "")


def _wanted_command() -> str:
    if COMPLETING in os.environ:
        from baileys_tools.cli.complete import settled, wanted_command

        os.environ.update(settled(os.environ, completed_as))
        return wanted_command(os.environ)
    if sys.argv[1:2] == ["help"]:
        return ""  # it speaks of all
    return sys.argv[1] if len(sys.argv) > 1 else ""


def _nagios_asks() -> bool:
    return sys.argv[1:2] == ["monitor-once"] and "--nagios" in sys.argv


def _job() -> str:
    """Return the command as which cron runs this process, "" for none, and where the result is a document."""
    from baileys_tools.config.host import JOB_VARIABLE

    if JOB_VARIABLE not in os.environ or not {"--json", "--nagios"}.isdisjoint(sys.argv):
        return ""
    return sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""


def run() -> NoReturn:
    """Run the command line as a process of its own.

    What was registered for the end is done, and then the memory goes back as a whole: to have Python take apart one
    by one what it loaded is a tenth of a quick start.
    """
    try:
        main()
    except SystemExit as end:
        threads = sys.modules.get("threading")
        if not isinstance(end.code, int) or (threads is not None and threads.active_count() > 1):
            raise
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
            sys.stdout.flush()
        os._exit(end.code)


def main() -> NoReturn:
    """Run the command line. Every way out is a documented exit code; no traceback reaches the user."""
    try:
        listen()
        if len(sys.argv) > 2 and sys.argv[1].startswith("-"):
            sys.argv[1:] = behind_the_command(sys.argv[1:])
        gc.set_threshold(GARBAGE_WORTH_A_SEARCH)
        outlast_readers(_job())
        code = _code_of_run()
        trouble = lost_output()
        hear_no_more()
    except BrokenOff as end:
        # Before anything, or in the last words, when all was done. No other signal is met.
        code = _broken_off(end)
        trouble = lost_output()
    if trouble is not None:
        print(f"baileys-tools: {trouble.strerror}", file=sys.stderr)
        code = ExitCode.FAILED
    say_last_words()
    sys.exit(code)


def _code_of_run() -> str | int | None:
    try:
        _run()
    except SystemExit as end:
        return end.code
    except BrokenOff as end:
        return _broken_off(end)
    except OSError as error:
        # What a folder does is caught where it happens.
        print(f"baileys-tools: {printable(why(error))}", file=sys.stderr)
        return ExitCode.FAILED
    return ExitCode.DONE


def _broken_off(end: BrokenOff) -> ExitCode:
    how = "interrupted" if end.exit_code is ExitCode.INTERRUPTED else f"ended by {end}"
    from baileys_tools.cli.groups import UNDOABLE

    way_back = " (baileys-tools undo --list)" if UNDOABLE.intersection(sys.argv[1:2]) else ""
    print(f"{how}; what was done so far stands{way_back}", file=sys.stderr)
    return end.exit_code


def _run() -> None:
    try:
        if (quick := quick_command(sys.argv[1:])) is not None:
            sys.exit(int(quick()))
        load_commands(_wanted_command())
        from baileys_tools.cli.app import app

        try:
            app(prog_name="baileys-tools")
        except SystemExit as end:
            if end.code != ExitCode.USAGE or not _nagios_asks():
                raise
            # To Nagios 2 is critical: no bot must be called ill for a typing error.
            from baileys_tools.watching.show.nagios import UNKNOWN, unknown_text

            print(unknown_text("the options cannot be meant; standard error says more"))
            sys.exit(UNKNOWN)
    except BaileysToolsError as error:
        from baileys_tools.frame.show.terminal import printable_lines
        from baileys_tools.masking import masked

        error.message, error.hint = masked(error.message), masked(error.hint)
        print(f"baileys-tools: {printable_lines(error.message)}", file=sys.stderr)
        if error.hint:
            print(printable_lines(error.hint), file=sys.stderr)
        if "--json" in sys.argv:
            from baileys_tools.frame.show.json_text import error_json

            print(error_json(sys.argv[1], error))
        sys.exit(int(error.exit_code))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort
        from baileys_tools.frame.show.crash import report_crash

        report_crash(error)
        sys.exit(int(ExitCode.FAILED))
