"""The command line: signatures and help. Each body is one lazy import and one call; only this module exits."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from baileys_tools import __version__
from baileys_tools.errors import BaileysToolsError, ExitCode

app = typer.Typer(
    name="baileys-tools",
    help="Keep the session folders of WhatsApp bots (Baileys) alive: clean, undo, back up, restore, explain.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or settings, 3 partly failed, 4 warning, 10 not found, "
    "11 snapshot damaged, 12 wrong key, 13 refused, 75 locked, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help reads the same everywhere and saves loading rich.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
config_app = typer.Typer(
    help="Show, check and write the settings.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")

SessionsOption = Annotated[
    str | None,
    typer.Option(
        "--sessions", metavar="PATH", help="Folder of the company_<id> folders, or one session folder."
    ),
]
CompanyOption = Annotated[
    list[str] | None,
    typer.Option("--company", metavar="ID", help="Only this company; repeatable. [default: all]"),
]
ConfigOption = Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings file to read.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say more: each file with its reason.")]
IdentityOption = Annotated[
    str | None,
    typer.Option("--identity", metavar="FILE", help="age secret key that opens encrypted snapshots."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing unless something is wrong.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"baileys-tools {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def cleanup(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run/--no-dry-run", help="Show the plan and touch nothing.")
    ] = None,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    pre_key_guard: Annotated[
        bool | None,
        typer.Option(
            "--pre-key-guard/--no-pre-key-guard",
            help="Keep a large upload of pre-keys that the server still hands out. [default: on]",
        ),
    ] = None,
    session_max_age: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove older sessions. [default: 14d]")
    ] = None,
    sender_key_max_age: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove older sender keys. [default: 3d]")
    ] = None,
    max_pre_keys: Annotated[
        str | None, typer.Option(metavar="N", help="Keep the N highest pre-keys. [default: 50]")
    ] = None,
    now: Annotated[
        str | None, typer.Option(metavar="TIME", help="Plan as of this time (ISO 8601); with --dry-run only.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Remove what the policy calls too old or too many, undoably.

    Dry run and real run print the same plan. creds, app-state-sync and lid-mapping files are never removed.
    Safe under a running bot.

    \b
    Examples:
      baileys-tools cleanup --sessions /srv/bot/sessions --dry-run
      baileys-tools cleanup --company 1001 --dry-run --verbose
      baileys-tools cleanup --quiet                 # from cron
      baileys-tools cleanup --dry-run --json --now 2026-01-15T12:00:00Z
    """
    from baileys_tools.commands.cleanup import cleanup_command

    flags = {
        "sessions.path": sessions,
        "sessions.companies": company or None,
        "cleanup.dry_run": dry_run,
        "cleanup.session_max_age": session_max_age,
        "cleanup.sender_key_max_age": sender_key_max_age,
        "pre_keys.keep": max_pre_keys,
        "pre_keys.guard": pre_key_guard,
    }
    _finish(lambda: cleanup_command(flags, config, now, verbose=verbose, as_json=json, quiet=quiet))


@app.command()
def undo(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="The cleanup to undo. [default: the last one]")
    ] = None,
    list_runs: Annotated[bool, typer.Option("--list", help="Only list what can be undone.")] = False,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Put back what a cleanup removed.

    Files return as they were, with age and mode, where nothing newer stands. They wait in quarantine for 24 hours
    (cleanup.undo_window).

    \b
    Examples:
      baileys-tools undo --list
      baileys-tools undo
      baileys-tools undo --company 1001 --run 20260115T030000Z-a1b2c3
    """
    from baileys_tools.commands.undo import undo_command

    flags = {"sessions.path": sessions, "sessions.companies": company or None}
    _finish(
        lambda: undo_command(
            flags, config, run, list_only=list_runs, verbose=verbose, as_json=json, quiet=quiet
        )
    )


@app.command()
def backup(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    tag: Annotated[str, typer.Option(metavar="TAG", help="A word in the snapshot's name.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Take a snapshot of unchanged folders, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which folders have changed.")] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--import",
            metavar="DIR|URL",
            help="Take in old plain copies, or fetch snapshots from a place of copies.",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Take a snapshot of each session folder that has changed.

    Safe under a running bot, and nothing is written into its folder. A folder without a whole, paired
    creds.json is reported and never replaces a good snapshot. Old snapshots go by the backup.keep_ rules.

    \b
    Examples:
      baileys-tools backup --quiet                  # from cron, every 5 minutes
      baileys-tools backup --company 1001 --tag before-update
      baileys-tools backup --import sessions.backup
      baileys-tools backup --import sftp://backup@host/bots
    """
    from baileys_tools.commands.backup import backup_command

    flags = {"sessions.path": sessions, "sessions.companies": company or None}
    _finish(
        lambda: backup_command(
            flags,
            config,
            tag=tag,
            force=force,
            dry_run=dry_run,
            source=source,
            as_json=json,
            quiet=quiet,
        )
    )


@app.command()
def snapshots(company: CompanyOption = None, json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the snapshots in the backup repository, oldest first.

    \b
    Examples:
      baileys-tools snapshots
      baileys-tools snapshots --company 1001 --json
    """
    from baileys_tools.commands.snapshots import snapshots_command

    _finish(lambda: snapshots_command({"sessions.companies": company or None}, config, as_json=json))


@app.command()
def verify(
    company: CompanyOption = None,
    every: Annotated[bool, typer.Option("--all", help="All snapshots, not only the newest of each.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read each file in them, as a restore would.")] = False,
    identity: IdentityOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Look for damaged snapshots: 11 when one is, 12 when a key is missing.

    Without --deep the hash in each name is compared, which needs no key. A damaged snapshot is marked and no
    longer counts: restore takes the one before it.

    \b
    Examples:
      baileys-tools verify --quiet                  # from cron, once a day
      baileys-tools verify --all --deep --identity key.txt
    """
    from baileys_tools.commands.verify import verify_command

    flags = {"sessions.companies": company or None, "backup.identity_file": identity}
    _finish(lambda: verify_command(flags, config, every=every, deep=deep, as_json=json, quiet=quiet))


@app.command()
def prune(
    company: CompanyOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what goes and why, and remove nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Remove the snapshots that no backup.keep_ rule keeps. The newest whole one always stays.

    \b
    Examples:
      baileys-tools prune --dry-run
      baileys-tools prune --company 1001
    """
    from baileys_tools.commands.prune import prune_command

    _finish(
        lambda: prune_command(
            {"sessions.companies": company or None}, config, dry_run=dry_run, as_json=json, quiet=quiet
        )
    )


@app.command()
def restore(
    company: Annotated[str, typer.Option("--company", metavar="ID", help="The company to restore.")],
    snapshot: Annotated[
        str, typer.Argument(metavar="[SNAPSHOT]", help="Number or file name of the snapshot, or latest.")
    ] = "latest",
    sessions: SessionsOption = None,
    mode: Annotated[
        str,
        typer.Option(metavar="MODE", help="repair: mend what is missing. rollback: become the snapshot."),
    ] = "repair",
    target: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write a plain folder there and touch nothing else.")
    ] = None,
    keep_sessions: Annotated[
        bool, typer.Option("--keep-sessions", help="The bot has been off since the snapshot: sessions fit.")
    ] = False,
    identity: IdentityOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and touch nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go on against objections; each is named.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Bring a session folder back from a snapshot. The bot has to be stopped.

    repair (default) brings back what is missing or unreadable and fits, and touches nothing whole. rollback
    makes the folder the snapshot, as far as the protocol allows, in one step, and keeps the folder as it was
    as a snapshot. Both say first what they cost in messages.

    \b
    Examples:
      baileys-tools restore --company 1001 --dry-run
      baileys-tools restore --company 1001 --yes
      baileys-tools restore --company 1001 41 --mode rollback
      baileys-tools restore --company 1001 --target /tmp/company_1001
    """
    from baileys_tools.commands.restore import RestoreOptions, restore_command

    flags = {"sessions.path": sessions, "backup.identity_file": identity}
    options = RestoreOptions(company, snapshot, mode, target, keep_sessions, dry_run, force, yes)
    _finish(lambda: restore_command(flags, config, options, verbose=verbose, as_json=json, quiet=quiet))


@config_app.command("show")
def config_show(
    sessions: SessionsOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Print every setting with its value and where that came from. Secrets show as ***.

    \b
    Examples:
      baileys-tools config show
      baileys-tools config show --json --config /etc/baileys-tools/config.yaml
    """
    from baileys_tools.commands.config import show_command

    _finish(lambda: show_command({"sessions.path": sessions}, config, as_json=json))


@config_app.command("check")
def config_check(config: ConfigOption = None) -> None:
    """Read all settings and say what is wrong or unwise. Errors exit with 2, warnings with 4.

    \b
    Examples:
      baileys-tools config check
      baileys-tools config check --config ./baileys-tools.yaml
    """
    from baileys_tools.commands.config import check_command

    _finish(lambda: check_command(config))


@config_app.command("init")
def config_init(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="Where to write. [default: ~/.config/baileys-tools/config.yaml]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a settings file with every setting in a comment (mode 0600).

    \b
    Examples:
      baileys-tools config init
      baileys-tools config init /etc/baileys-tools/config.yaml
    """
    from baileys_tools.commands.config import init_command

    _finish(lambda: init_command(path, force=force))


def _finish(command: Callable[[], ExitCode]) -> None:
    """Run a command and exit with its code."""
    try:
        code = command()
    except KeyboardInterrupt:
        print("interrupted; what was done so far stands (baileys-tools undo --list)", file=sys.stderr)
        code = ExitCode.INTERRUPTED
    raise typer.Exit(int(code))


def _build_only_what_is_asked_for() -> None:
    """Typer builds every command at every start, a millisecond and more apiece; cron asks for one of them."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for command in app.registered_commands:
        if command.callback is not None and (command.name or command.callback.__name__) == wanted:
            app.registered_commands = [command]
            app.registered_groups = []
            return


def _open_closed_streams() -> None:
    """Give a standard stream that was closed at the start (`2>&-`) something to write to."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_WRONLY)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115 - for as long as we live


def main() -> None:
    """Run the command line. Every way out is a documented exit code; no traceback reaches the user."""
    _open_closed_streams()
    _build_only_what_is_asked_for()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end a cleanup.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BaileysToolsError as error:
        from baileys_tools.output.terminal import printable_lines

        print(f"baileys-tools: {printable_lines(error.message)}", file=sys.stderr)
        if error.hint:
            print(printable_lines(error.hint), file=sys.stderr)
        sys.exit(int(error.exit_code))
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing to say to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(ExitCode.DONE))
    except OSError as error:
        # What a folder does is caught where it happens; this is the output (a full disk, a closed terminal).
        print(f"baileys-tools: {error.strerror or error}", file=sys.stderr)
        sys.exit(int(ExitCode.FAILED))
    except Exception as error:  # noqa: BLE001 - the last resort
        from baileys_tools.output.crash import report_crash

        report_crash(error)
        sys.exit(int(ExitCode.FAILED))


if __name__ == "__main__":
    main()
