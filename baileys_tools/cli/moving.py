"""`migrate`: a session moves between folders and databases."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import (
    ConfigOption,
    JsonOption,
    OneIfSeveralOption,
    SessionsOption,
    app,
    command_line,
    finish,
)


@app.command()
def migrate(
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or the address of a store.")],
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="How the store is laid out (docs/stores.md).")
    ] = "",
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="NAME", help="What the session is to be called in the store.")
    ] = "",
    password_file: Annotated[
        str, typer.Option("--password-file", metavar="FILE", help="Holds the password of the store.")
    ] = "",
    creds_to: Annotated[
        str,
        typer.Option(
            "--creds-to", metavar="PLACE", help="Where creds go that stand in a store of their own."
        ),
    ] = "",
    creds_password_file: Annotated[
        str, typer.Option("--creds-password-file", metavar="FILE", help="Holds the password of that store.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and touch nothing.")] = False,
    leave_source: Annotated[
        bool, typer.Option("--leave-source", help="Leave the creds of the source where they are.")
    ] = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Take along rows that a script filed under half a type.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Move a session to another folder or database; no QR code. The bot has to be stopped.

    Copies, reads both sides again, and compares each record by its meaning. Then the creds of the
    source are set aside, so that no two bots use one login; undo brings them back. A place that holds another
    login is refused. A run that dies is run again.

    \b
    Examples:
      baileys-tools migrate --company 1001 --to postgres://bot@localhost/bots \\
        --preset ai-admin --dry-run
      baileys-tools migrate --company 1001 --to sqlite:///srv/bot/auth.db \\
        --preset baileys-sqlite --yes
      baileys-tools migrate --company shop --to /srv/bots/company_1001 --yes
    """
    from baileys_tools.recovery.migrating import MigrateOptions, migrate_command

    given = command_line(
        sessions, config, more={"sessions.companies": [company] if company else None}, json=json
    )
    place = {"store": to, "preset": preset, "password_file": password_file}
    place |= {"creds_store": creds_to, "creds_password_file": creds_password_file}
    options = MigrateOptions(place, tenant, dry_run, leave_source, mend, yes)
    finish(lambda: migrate_command(given, options))
