"""The settings: `setup`, `sessions`, `config show`, `config check` and `config init`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import (
    ConfigOption,
    JsonOption,
    SessionsOption,
    app,
    command_line,
    finish,
)
from baileys_tools.cli.quick import sessions_flags

config_app = typer.Typer(
    help="Show, check and write the settings.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")


@app.command()
def setup(
    sessions: SessionsOption = None,
    webhook_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A file with the address that alerts go to.")
    ] = None,
    backup: Annotated[str | None, typer.Option(metavar="DIR", help="Where snapshots go.")] = None,
    encrypt: Annotated[
        bool | None, typer.Option("--encrypt/--no-encrypt", help="Make a key to encrypt snapshots with.")
    ] = None,
    recipient: Annotated[
        str, typer.Option(metavar="KEY", help="Encrypt to this public key of age instead of a new one.")
    ] = "",
    key: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where the secret half of a new key is written. [default: ~/baileys-tools-key.txt]",
        ),
    ] = None,
    jobs: Annotated[bool | None, typer.Option("--jobs/--no-jobs", help="Have cron run the jobs.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be set up.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take what is given, else what is usual.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a settings file that is there.")] = False,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Settings file to write.")
    ] = None,
) -> None:
    """Set this host up: settings, alerts, snapshots, jobs.

    Asks five questions, shows what it will write, writes it, tries whether the host can do the job, and installs the
    jobs. No session folder is touched. With --yes nothing is asked.

    \b
    Examples:
      baileys-tools setup
      baileys-tools setup --sessions /srv/bots --webhook-file ~/webhook --yes
      baileys-tools setup --sessions /srv/bots --recipient age1... --dry-run
    """
    from baileys_tools.host.setup import SetupOptions, setup_command

    options = SetupOptions(
        sessions or [], webhook_file, backup, encrypt, recipient, key, jobs, config, dry_run, yes, force
    )
    finish(lambda: setup_command(options))


@app.command()
def sessions(sessions: SessionsOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say which session folders are found, and which not.

    By which rule, what has written each, what is passed by and why, and settings for what stands deeper. Other
    programs' folders are named. Looks only.

    \b
    Examples:
      baileys-tools sessions --sessions /srv/bots
      baileys-tools sessions --sessions '/srv/bots/*/auth_info_baileys'
      baileys-tools sessions --json
    """
    from baileys_tools.host.sessions_found import sessions_command

    given = command_line(sessions, config, json=json)
    finish(lambda: sessions_command(given))


@config_app.command("show")
def config_show(
    sessions: SessionsOption = None,
    company: Annotated[
        str | None, typer.Option("--company", metavar="ID", help="What is in force for this company.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print every setting with its value and where that came from. Secrets show as ***.

    \b
    Examples:
      baileys-tools config show
      baileys-tools config show --company 1001
      baileys-tools config show --json --config /etc/baileys-tools/config.yaml
    """
    from baileys_tools.host.config_commands import show_command

    given = command_line(sessions, config, json=json)
    finish(lambda: show_command(given, company=company))


@config_app.command("check")
def config_check(config: ConfigOption = None) -> None:
    """Read all settings and say what is wrong or unwise. Errors exit with 2, warnings with 4.

    \b
    Examples:
      baileys-tools config check
      baileys-tools config check --config ./baileys-tools.yaml
    """
    from baileys_tools.host.config_commands import check_command

    finish(lambda: check_command(config))


@config_app.command("init")
def config_init(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="Where to write. [default: BAILEYS_TOOLS_CONFIG, else ~/.config/baileys-tools/config.yaml]",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    sessions: SessionsOption = None,
) -> None:
    """Write a settings file with what is in force now (mode 0600).

    Every other setting is in it as a comment. A secret that only a variable holds is not written. Where session folders
    stand that no rule finds, it gets roots that find them.

    \b
    Examples:
      baileys-tools config init
      baileys-tools config init /etc/baileys-tools/config.yaml
    """
    from baileys_tools.host.config_commands import init_command

    finish(lambda: init_command(path, force=force, flags=sessions_flags(sessions)))
