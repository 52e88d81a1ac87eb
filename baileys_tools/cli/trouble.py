"""When a session is in trouble: `logs`, `recover`, `reconnect`, `start-session`, `qr` and `send-test`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from baileys_tools.cli.app import (
    CompanyOption,
    ConfigOption,
    JsonOption,
    OneCompanyOption,
    OneIfSeveralOption,
    QuietOption,
    SessionsOption,
    app,
    command_line,
    company_option,
    finish,
)

WaitOption = Annotated[
    str, typer.Option("--wait", metavar="TIME", help="How long to wait for it to connect.")
]


@app.command()
def recover(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say also of bots that are well how that is known.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Find out why a bot is away, and bring it back.

    By the cheapest step that does: wait, ask it to reconnect, restart its process, repair its folder from a
    snapshot. Never more than the cause calls for, and nothing is ever removed. From cron it only alerts, unless
    recover.auto lets it act.

    \b
    Examples:
      baileys-tools recover --dry-run
      baileys-tools recover --company 1001
      baileys-tools recover --quiet                 # from cron
    """
    from baileys_tools.recovery.recovering import recover_command

    given = command_line(sessions, config, company, verbose=verbose, json=json, quiet=quiet)
    finish(lambda: recover_command(given, dry_run=dry_run, yes=yes))


@app.command()
def logs(
    company: Annotated[
        list[str] | None,
        company_option(help="The company. [default: the only one with a log]"),
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back; 90d at most.")] = "24h",
    sessions: SessionsOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Count what a bot's log says of trouble.

    Reconnects, failed attempts, messages that it could not read. Reads what is new since the last time and
    keeps counts by the hour, no text. The log itself is named in the settings (logs). Exits with 4 for a
    warning, 5 for anything worse.

    \b
    Examples:
      baileys-tools logs --company 1001
      baileys-tools logs --company 1001 --since 7d
      baileys-tools logs --company 1001 --json | jq .reconnects
    """
    from baileys_tools.bots.logs import logs_command

    given = command_line(sessions, config, company, json=json)
    finish(lambda: logs_command(given, since))


@app.command()
def reset(
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on though the session seems to be in use.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    pair: Annotated[bool, typer.Option("--pair/--no-pair", help="Start the bot and show its code.")] = True,
    pairing_code: Annotated[
        str | None,
        typer.Option("--pairing-code", metavar="NUMBER", help="Show a code for this phone, no QR code."),
    ] = None,
    png: Annotated[
        str | None, typer.Option("--png", metavar="FILE", help="Write the QR code there as well.")
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="How long to wait for the pairing.")
    ] = "3m",
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Set a dead session aside, and pair the bot anew.

    Or one that is to be rotated. Takes a last snapshot, moves the whole folder into quarantine for 30 days
    (reset.keep), starts the bot through its API and shows the QR code. undo --run brings the folder back as it
    was.

    \b
    Examples:
      baileys-tools reset --company 1001 --dry-run
      baileys-tools reset --company 1001 --yes
      baileys-tools undo --company 1001 --list
    """
    from baileys_tools.bots import ask_bot
    from baileys_tools.recovery.resetting import ResetOptions, reset_command

    options = ResetOptions(company, dry_run, force, yes, pair)
    if pairing_code is not None:
        how = partial(
            ask_bot.pairing_code,
            number=pairing_code,
            show=lambda code: typer.echo(f"Type this into the phone: {code}", err=json),
            timeout=timeout,
        )
    else:
        show = ask_bot.on_terminal(company, png, as_json=json)
        how = partial(ask_bot.show_qr, show=show, timeout=timeout, patient=True)
    may = partial(ask_bot.require_pairing, timeout=timeout, number=pairing_code, png=png)
    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(lambda: reset_command(given, options, how, may))


@app.command()
def reconnect(
    company: OneCompanyOption,
    wait: WaitOption = "30s",
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Have a bot connect again with the session it has.

    Waits until it has.

    \b
    Examples:
      baileys-tools reconnect --company 1001
      baileys-tools reconnect --company 1001 --wait 2m
    """
    from baileys_tools.bots import ask_bot

    ask = partial(ask_bot.reconnect, wait=wait)
    finish(lambda: ask_bot.ask_command("reconnect", company, config, ask, as_json=json, quiet=quiet))


@app.command("start-session")
def start_session(
    company: OneCompanyOption,
    wait: WaitOption = "30s",
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Have a bot start its session. Where it has none yet, a QR code follows.

    \b
    Examples:
      baileys-tools start-session --company 1001
    """
    from baileys_tools.bots import ask_bot

    ask = partial(ask_bot.start_session, wait=wait)
    finish(lambda: ask_bot.ask_command("start-session", company, config, ask, as_json=json, quiet=quiet))


app.command("init", hidden=True)(start_session)  # its name until 0.2


@app.command()
def qr(
    company: OneCompanyOption,
    png: Annotated[
        str | None, typer.Option("--png", metavar="FILE", help="Write it there as a picture as well.")
    ] = None,
    pairing_code: Annotated[
        str | None,
        typer.Option("--pairing-code", metavar="NUMBER", help="Show a code to type into this phone instead."),
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="Give up when it is not connected by then.")
    ] = "3m",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the QR code of a bot in the terminal.

    Each new one anew, until it is connected. Whoever scans the code links this bot to their account: show it to
    nobody else.

    \b
    Examples:
      baileys-tools qr --company 1001
      baileys-tools qr --company 1001 --png /tmp/qr.png
      baileys-tools qr --company 1001 --pairing-code 4917012345678
    """
    from baileys_tools.bots import ask_bot

    if pairing_code is not None:
        ask = partial(
            ask_bot.pairing_code,
            number=pairing_code,
            show=lambda code: typer.echo(f"Type this into the phone: {code}", err=json),
            timeout=timeout,
        )
    else:
        show = ask_bot.on_terminal(company, png, as_json=json)
        ask = partial(ask_bot.show_qr, show=show, timeout=timeout, png=png)
    finish(lambda: ask_bot.ask_command("qr", company, config, ask, as_json=json))


@app.command("send-test")
def send_test(
    company: OneCompanyOption,
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="The phone number, with its country.")],
    message: Annotated[
        str | None,
        typer.Option("--message", metavar="TEXT", help="What to send. [default: a test, the time]"),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a message from a bot, to see that it really works. The number is never shown whole.

    \b
    Examples:
      baileys-tools send-test --company 1001 --to 4917012345678
    """
    from baileys_tools.bots import ask_bot

    ask = partial(ask_bot.send_test, to=to, message=message)
    finish(lambda: ask_bot.ask_command("send-test", company, config, ask, as_json=json, quiet=quiet))


@app.command()
def incidents(
    company: CompanyOption = None,
    markdown: Annotated[
        int | None, typer.Option("--markdown", metavar="ID", help="Print this one as a report to file.")
    ] = None,
    sessions: SessionsOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show when bots were in trouble, why, and what was tried.

    With how long it took, and uptime, time to recovery and reconnects a day of the last 30 days. Time that
    nobody watched is neither up nor down.

    \b
    Examples:
      baileys-tools incidents
      baileys-tools incidents --company 1001
      baileys-tools incidents --markdown 17 > incident-17.md
    """
    from baileys_tools.watching.incidents import incidents_command

    given = command_line(sessions, config, company, json=json)
    finish(lambda: incidents_command(given, markdown))
