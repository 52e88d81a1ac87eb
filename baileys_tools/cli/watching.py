"""Watching: `status`, `inspect`, `monitor-once`, `trigger`, `notify` and `silence`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli import quick
from baileys_tools.cli.app import (
    CompanyOption,
    ConfigOption,
    JsonOption,
    NamedCompanyOption,
    OnlyCompanyOption,
    QuietOption,
    SessionsOption,
    VerboseOption,
    app,
    command_line,
    finish,
)
from baileys_tools.cli.complete import complete_finding
from baileys_tools.frame.command_line import CommandLine


@app.command("monitor-once")
def monitor_once(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    json: JsonOption = False,
    nagios: Annotated[
        bool, typer.Option("--nagios", help="Print one line with perfdata; exit codes 0 to 3.")
    ] = False,
    textfile: Annotated[
        str | None, typer.Option("--textfile", metavar="PATH", help="Write metrics for node_exporter.")
    ] = None,
    no_notify: Annotated[bool, typer.Option("--no-notify", help="Send no alerts.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only what was not there at the last pass.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Look at every session folder once, and alert when need be.

    Levels by counted files (healthy under 150, warning, critical 170, trigger 175, emergency 180, danger over
    185), creds.json, keys that miss each other, activity, snapshots, disk. A folder in which nothing has moved
    is not listed again, so once a minute is cheap. Exits with 4 for a warning, 5 for anything worse.

    \b
    Examples:
      baileys-tools monitor-once --quiet            # from cron, every minute
      baileys-tools monitor-once --company 1001
      baileys-tools monitor-once --nagios
      baileys-tools monitor-once -q --textfile /var/lib/node_exporter/bots.prom
    """
    finish(lambda: quick.monitor_once(sessions, company, json, nagios, textfile, no_notify, quiet, config))


@app.command()
def status(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show how all companies are, the worst first.

    With one --company, all that is known of it. The table is as wide as the terminal. Growth and the next level
    come from what monitor-once has seen.

    \b
    Examples:
      baileys-tools status
      baileys-tools status --company 1001
      baileys-tools status --json | jq '.companies[] | .next_level'
    """
    from baileys_tools.watching.status import status_command

    given = command_line(sessions, config, company, json=json)
    finish(lambda: status_command(given))


@app.command()
def trigger(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run/--no-dry-run", help="Say what would be cleaned; touch nothing.")
    ] = None,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Clean folders that are full, each once in 6 hours at most.

    From 175 counted files on a folder is cleaned as `cleanup` does; from 185 on whatever the cooldown says, but
    once in 30 minutes at most. Only one trigger works at a time. Where cleaning cannot help, it says what would.

    \b
    Examples:
      baileys-tools trigger --quiet                 # from cron, every 30 minutes
      baileys-tools trigger --dry-run --verbose
      baileys-tools trigger --company 1001 --json
    """
    from baileys_tools.cleanup.triggering import trigger_command

    given = command_line(
        sessions, config, company, {"cleanup.dry_run": dry_run}, verbose=verbose, json=json, quiet=quiet
    )
    finish(lambda: trigger_command(given))


@app.command()
def inspect(
    company: OnlyCompanyOption = None,
    sessions: SessionsOption = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name the files that a finding is about.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check the health of one session folder and say what to do.

    Every file is looked at and read, none is changed; the bot may go on. Each finding has a code that
    docs/findings.md explains. Exits with 4 for a warning, 5 for worse. The account is masked; -v names files,
    which hold the numbers of contacts.

    \b
    Examples:
      baileys-tools inspect --company 1001
      baileys-tools inspect --company 1001 -v
      baileys-tools inspect --company 1001 --json
    """
    from baileys_tools.watching.inspect import inspect_command

    given = command_line(sessions, config, company, verbose=verbose, json=json)
    finish(lambda: inspect_command(given))


notify_app = typer.Typer(help="The channels that alerts go to.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(notify_app, name="notify")


@notify_app.command("test")
def notify_test(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Send one message by each channel and say what became of it. 1 when one could not deliver it.

    \b
    Examples:
      baileys-tools notify test
      TELEGRAM_BOT_TOKEN=... TELEGRAM_CHAT_ID=... baileys-tools notify test
    """
    from baileys_tools.alerts.try_channels import notify_test_command

    given = CommandLine({}, config, as_json=json)
    finish(lambda: notify_test_command(given))


@app.command()
def silence(
    company: NamedCompanyOption = None,
    code: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Only this finding. [default: all alerts]",
            autocompletion=complete_finding,
        ),
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="How long it holds (2h, 30m), 30 days at most."),
    ] = None,
    because: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The reason, for whoever reads it.")
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="Show the silences that hold or have ended lately.")
    ] = False,
    ending: Annotated[bool, typer.Option("--end", help="End those of the company now.")] = False,
    sessions: SessionsOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Have planned work alert nobody.

    Everything is watched on; monitor-once, status and report say that the company
    is silenced. It ends by itself: what lasts by then is told.

    \b
    Examples:
      baileys-tools silence --company 1001 --for 2h --because "update of the bot"
      baileys-tools silence --company 1001 --code folder-gone --for 1h --because x
      baileys-tools silence --list
      baileys-tools silence --company 1001 --end
    """
    from baileys_tools.alerts.silencing import SilenceOptions, silence_command

    given = command_line(sessions, config, company)
    options = SilenceOptions(code, length, because, listing, ending, json)
    finish(lambda: silence_command(given, options))
