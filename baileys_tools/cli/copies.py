"""Copies of snapshots elsewhere: `copies check`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import ConfigOption, JsonOption, QuietOption, app, finish
from baileys_tools.frame.command_line import CommandLine

copies_app = typer.Typer(
    help="Look after the copies of snapshots elsewhere.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(copies_app, name="copies")


@copies_app.command("check")
def copies_check(
    read: Annotated[
        bool, typer.Option("--read", help="Also read the newest copy of each company back.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Compare each place of backup.copies with the repository.

    Says what is missing there by its own retention, what was there and has gone, and what was cut off. With --read
    the newest copy of each company is read and compared with its hash. Sends and removes nothing; the next backup
    sends what is missing. Exits with 4 when something is missing, 11 when a copy is damaged.

    \b
    Examples:
      baileys-tools copies check
      baileys-tools copies check --read --quiet      # from cron, once a week
    """
    from baileys_tools.snapshots.copies_check import copies_check_command

    given = CommandLine({}, config, as_json=json, quiet=quiet)
    finish(lambda: copies_check_command(given, read=read))
