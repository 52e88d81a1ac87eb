"""The session folders: `cleanup`, `undo` and `policy try`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli import quick
from baileys_tools.cli.app import (
    CompanyOption,
    ConfigOption,
    JsonOption,
    OnlyCompanyOption,
    QuietOption,
    SessionsOption,
    VerboseOption,
    app,
    command_line,
    finish,
)
from baileys_tools.cli.complete import complete_run

policy_app = typer.Typer(
    help="Try other rules of a cleanup on a company's own past.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(policy_app, name="policy")


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
    until: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Remove only while more than N files of such kinds stand. [default: off]"
        ),
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
    finish(
        lambda: quick.cleanup(
            sessions,
            company,
            dry_run,
            verbose,
            json,
            quiet,
            pre_key_guard,
            session_max_age,
            sender_key_max_age,
            max_pre_keys,
            until,
            now,
            config,
        )
    )


@app.command()
def undo(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="The run to undo. [default: the last but resets]", autocompletion=complete_run
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come back, and touch nothing.")
    ] = False,
    list_runs: Annotated[bool, typer.Option("--list", help="Only list what can be undone.")] = False,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Put back what a cleanup, trigger, restore or cure moved.

    Files return as they were, with age and mode, where nothing newer stands. They wait in quarantine for 24 hours
    (cleanup.undo_window).

    \b
    Examples:
      baileys-tools undo --list
      baileys-tools undo --dry-run
      baileys-tools undo
      baileys-tools undo --company 1001 --run 20260115T030000Z-a1b2c3
    """
    from baileys_tools.cleanup.undoing import undo_command

    given = command_line(sessions, config, company, verbose=verbose, json=json, quiet=quiet)
    finish(lambda: undo_command(given, run, list_only=list_runs, dry_run=dry_run))


@policy_app.command("try")
def policy_try(
    company: OnlyCompanyOption = None,
    sessions: SessionsOption = None,
    days: Annotated[int, typer.Option(metavar="N", help="Look at the last N days, at most 120.")] = 60,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what other rules of a cleanup would have cost this company.

    Each cleanup notes when the keys of a folder were used. By that the past is lived again under each rule, with a
    cleanup a day: how many messages would have been late by one resend, and how many files kept. Touches nothing.

    \b
    Examples:
      baileys-tools policy try --company 1001
      baileys-tools policy try --company 1001 --days 30 --json
    """
    from baileys_tools.cleanup.trying import try_command

    given = command_line(sessions, config, company, json=json)
    finish(lambda: try_command(given, days))
