"""The host: `cron`, `doctor`, `report`, `watch`, `help` and `explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import (
    CompanyOption,
    ConfigOption,
    JsonOption,
    QuietOption,
    SessionsOption,
    app,
    command_line,
    finish,
)
from baileys_tools.cli.complete import complete_code, complete_topic
from baileys_tools.cli.quick import sessions_flags

cron_app = typer.Typer(
    help="Run everything by itself, from cron or systemd timers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(cron_app, name="cron")

SystemOption = Annotated[
    bool, typer.Option("--system", help="/etc/cron.d/baileys-tools instead of your own crontab; needs root.")
]
UserOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="With --system: who runs the jobs. [default: the owner of the sessions]"
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change and touch nothing.")]


@cron_app.command("show")
def cron_show(
    sessions: SessionsOption = None,
    system: SystemOption = False,
    user: UserOption = None,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Print systemd services and timers instead.")
    ] = False,
    into: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="With --systemd: write the units into this folder.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the entries that `cron install` would write.

    \b
    Examples:
      baileys-tools cron show
      baileys-tools cron show --system --user bot
      baileys-tools cron show --systemd --into /etc/systemd/system
    """
    from baileys_tools.host.cron import show_command

    given = command_line(sessions, config)
    finish(lambda: show_command(given, system=system, user=user, systemd=systemd, into=into))


@cron_app.command("install")
def cron_install(
    sessions: SessionsOption = None,
    system: SystemOption = False,
    user: UserOption = None,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Put the jobs into the crontab, in a marked block. Twice is once.

    Every other line stays byte for byte as it is, and the crontab before is kept. Each job sees the settings
    that are in force now. Times: the section cron of the settings.

    \b
    Examples:
      baileys-tools cron install --dry-run
      baileys-tools cron install --sessions /srv/bot/sessions
      sudo baileys-tools cron install --system --user bot
    """
    from baileys_tools.host.cron import install_command

    given = command_line(sessions, config, quiet=quiet)
    finish(lambda: install_command(given, system=system, user=user, dry_run=dry_run))


@cron_app.command("remove")
def cron_remove(
    sessions: SessionsOption = None,
    system: SystemOption = False,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Take the jobs out of the crontab again.

    Where it has those of several settings, say which: --config, or --sessions where there is no settings file.

    \b
    Examples:
      baileys-tools cron remove --dry-run
      baileys-tools cron remove
      baileys-tools cron remove --config /etc/baileys-tools/config.yaml
    """
    from baileys_tools.host.cron import remove_command

    given = command_line(sessions, config, quiet=quiet)
    finish(lambda: remove_command(given, system=system, dry_run=dry_run))


@cron_app.command("status")
def cron_status(
    sessions: SessionsOption = None,
    system: SystemOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Say of each job when it ran last and how it ended. Exits with 4 when one failed or did not run.

    \b
    Examples:
      baileys-tools cron status
      baileys-tools cron status --json
    """
    from baileys_tools.host.cron_status import status_command

    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(lambda: status_command(given, system=system))


@cron_app.command("run")
def cron_run(sessions: SessionsOption = None, config: ConfigOption = None) -> None:
    """Run the jobs in the foreground until SIGTERM, for containers.

    No cron, no root, logs on standard output.

    \b
    Examples:
      baileys-tools cron run
      baileys-tools cron run --config /etc/baileys-tools/config.yaml
    """
    from baileys_tools.host.cron_run import run_command

    finish(lambda: run_command(sessions_flags(sessions), config))


@app.command()
def doctor(
    sessions: SessionsOption = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Also send a test alert to everybody.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="First mend what can be mended; no key's content is touched.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --fix: show what would be mended, and change nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Try whether this host can do the job. Each line says ok or what to do.

    Sessions, locks, leases, state, repository, encryption, copies, the bots' processes, API and logs, cron, clock,
    room, alerts, and other tools that delete here. Exits with 4 for a warning and 5 where the jobs cannot work.
    --fix mends modes of folders and keys, files that root left in a bot's folder, a missing repository, leftovers
    of killed backups, and jobs that are not installed; it says how each step is taken back.

    \b
    Examples:
      baileys-tools doctor
      baileys-tools doctor --send-test
      baileys-tools doctor --fix --dry-run
      baileys-tools doctor --json
    """
    from baileys_tools.host.doctor import doctor_command

    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(lambda: doctor_command(given, send_test=send_test, fix=fix, dry_run=dry_run))


@app.command()
def watch(
    interval: Annotated[str, typer.Option("--interval", metavar="TIME", help="How often to look.")] = "15s",
    company: CompanyOption = None,
    sessions: SessionsOption = None,
    config: ConfigOption = None,
) -> None:
    """Show how all companies are, again and again.

    What `status` shows, the findings that matter and the last runs of the jobs. Space looks again at once, q or
    Ctrl-C ends it. Needs a terminal; cron and scripts take `status --json`.

    \b
    Examples:
      baileys-tools watch
      baileys-tools watch --interval 5s --company 1001
    """
    from baileys_tools.watching.watch import watch_command

    flags = {**sessions_flags(sessions), "sessions.companies": company or None}
    finish(lambda: watch_command(flags, config, interval))


@app.command("help")
def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND|CODE|TOPIC|PAGE]",
            help="What help is wanted on. [default: what there is]",
            autocompletion=complete_topic,
        ),
    ] = None,
) -> None:
    """Explain a command, a finding, a topic, or show a page.

    \b
    Examples:
      baileys-tools help commands                   # all of them, a line each
      baileys-tools help cron install
      baileys-tools help creds-empty                # a finding
      baileys-tools help runbook                    # an alert has come
    """
    from baileys_tools.cli.all_help import command_helps, listed
    from baileys_tools.host.help import help_command

    root = context.find_root().command
    finish(lambda: help_command(words or [], command_helps(root), listed(root)))


@app.command()
def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="A finding, diagnosis or state. [default: all findings]",
            autocompletion=complete_code,
        ),
    ] = None,
) -> None:
    """Say what a finding means, and what to type.

    So of the diagnoses of recover, and of the states and levels that status shows.

    \b
    Examples:
      baileys-tools explain creds-empty
      baileys-tools explain creds-lost              # a diagnosis
      baileys-tools explain                         # all codes, a line each
    """
    from baileys_tools.host.help import explain_command

    finish(lambda: explain_command(codes or []))


@app.command()
def report(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="PATH", help="Write one page to look at there; - is stdout."),
    ] = None,
    since: Annotated[str, typer.Option(metavar="AGE", help="How far back.")] = "30d",
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Show how all companies are and how that came about.

    Curves, cleanups, incidents, snapshots, forecasts. In the terminal a curve for each; --html writes one page
    that needs nothing else: it opens from a file, on a phone, without a network. It holds no secret, and what
    could be a phone number is masked. --quiet prints nothing and writes the page to report.html in state.dir.

    \b
    Examples:
      baileys-tools report
      baileys-tools report --html report.html
      baileys-tools report --company 1001 --since 7d --html company-1001.html
      baileys-tools report --since 24h --json
    """
    from baileys_tools.watching.report import report_command

    given = command_line(sessions, config, company, json=json, quiet=quiet)
    finish(lambda: report_command(given, html=html, since=since))


@app.command("support-bundle")
def support_bundle(
    sessions: SessionsOption = None,
    company: CompanyOption = None,
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="FILE", help="Write it here, mode 0600. [default: print it]"),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put together what others need to help you.

    One page to paste or attach: versions, settings, doctor, files by kind and level, findings, runs, incidents, and
    how often what stood in the logs. No key, no number, no name: companies are c1, c2 ..., and every word that the
    documentation does not have is x1, x2 ... Read it before you pass it on.

    \b
    Examples:
      baileys-tools support-bundle
      baileys-tools support-bundle --output support.md
      baileys-tools support-bundle --company 1001 --json
    """
    from baileys_tools.watching.support import support_command

    given = command_line(sessions, config, company, json=json)
    finish(lambda: support_command(given, output=output))
