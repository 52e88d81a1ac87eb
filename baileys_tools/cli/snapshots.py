"""Snapshots: `backup`, `snapshots`, `verify`, `prune`, `keep`, `diff` and `restore`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import (
    CompanyOption,
    ConfigOption,
    IdentityOption,
    JsonOption,
    OneIfSeveralOption,
    QuietOption,
    SessionsOption,
    VerboseOption,
    app,
    command_line,
    finish,
)
from baileys_tools.cli.complete import complete_mode, complete_snapshot


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
    from baileys_tools.snapshots.backup import backup_command

    given = command_line(sessions, config, company, json=json, quiet=quiet)
    finish(lambda: backup_command(given, tag=tag, force=force, dry_run=dry_run, source=source))


@app.command()
def snapshots(
    company: CompanyOption = None,
    sessions: SessionsOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List the snapshots in the backup repository, oldest first.

    \b
    Examples:
      baileys-tools snapshots
      baileys-tools snapshots --company 1001 --json
    """
    from baileys_tools.snapshots.listing import snapshots_command

    given = command_line(sessions, config, company, json=json)
    finish(lambda: snapshots_command(given))


@app.command()
def verify(
    company: CompanyOption = None,
    every: Annotated[bool, typer.Option("--all", help="All snapshots, not only the newest of each.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read each file in them, as a restore would.")] = False,
    sessions: SessionsOption = None,
    identity: IdentityOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Look for damaged snapshots.

    Exits with 11 when one is damaged, 12 when a key is missing. Without --deep the hash in each name is
    compared, which needs no key. A damaged snapshot is marked and no longer counts: restore takes the one
    before it.

    \b
    Examples:
      baileys-tools verify --quiet                  # from cron, once a day
      baileys-tools verify --all --deep --identity key.txt
    """
    from baileys_tools.snapshots.verify import verify_command

    given = command_line(
        sessions, config, company, {"backup.identity_file": identity}, json=json, quiet=quiet
    )
    finish(lambda: verify_command(given, every=every, deep=deep))


@app.command()
def prune(
    company: CompanyOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what goes and why, and remove nothing.")
    ] = False,
    sessions: SessionsOption = None,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Remove the snapshots that no backup.keep_ rule keeps. The newest whole one always stays.

    \b
    Examples:
      baileys-tools prune --dry-run --verbose       # also what stays, and why
      baileys-tools prune --company 1001
    """
    from baileys_tools.snapshots.prune import prune_command

    given = command_line(sessions, config, company, verbose=verbose, json=json, quiet=quiet)
    finish(lambda: prune_command(given, dry_run=dry_run))


SnapshotArgument = Annotated[
    str,
    typer.Argument(
        metavar="SNAPSHOT",
        help="Number or file name of the snapshot, or latest.",
        autocompletion=complete_snapshot,
    ),
]


@app.command()
def keep(
    snapshot: SnapshotArgument,
    company: OneIfSeveralOption = "",
    kept_for: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="From now on, such as 90d or 52w.")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="Take the pin back.")] = False,
    sessions: SessionsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Pin a snapshot, so that no backup.keep_ rule removes it.

    Neither here nor in the copies. The snapshots command lists until when. A pin ends with the first snapshot that
    is taken after its time.

    \b
    Examples:
      baileys-tools keep --company 1001 latest --for 90d
      baileys-tools keep --company 1001 41 --release
    """
    from baileys_tools.snapshots.keeping import keep_command

    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(lambda: keep_command(given, company, snapshot, kept_for, release=release))


@app.command()
def diff(
    snapshot: SnapshotArgument,
    other: Annotated[
        str, typer.Argument(metavar="[SNAPSHOT|live]", help="What it is compared with.")
    ] = "live",
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    identity: IdentityOption = None,
    show_numbers: Annotated[
        bool, typer.Option("--show-numbers", help="Print phone numbers and LIDs in full, not masked.")
    ] = False,
    verbose: VerboseOption = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what changed between two snapshots, or since one.

    The live folder is the other where none is named. By kind, with --verbose by key: gone, new, changed; of
    creds.json the names of the fields. No content of a key is printed, and nothing is touched.

    \b
    Examples:
      baileys-tools diff --company 1001 latest
      baileys-tools diff --company 1001 41 44 --verbose
    """
    from baileys_tools.recovery.differing import diff_command

    given = command_line(
        sessions, config, more={"backup.identity_file": identity}, verbose=verbose, json=json
    )
    finish(lambda: diff_command(given, company, snapshot, other, show_numbers=show_numbers))


@app.command()
def restore(
    company: OneIfSeveralOption = "",
    snapshot: Annotated[
        str,
        typer.Argument(
            metavar="[SNAPSHOT]",
            help="Number or file name of the snapshot, or latest.",
            autocompletion=complete_snapshot,
        ),
    ] = "latest",
    sessions: SessionsOption = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Every company whose folder is gone: a lost host, one plan, one yes."),
    ] = False,
    mode: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            help="repair: mend what is missing. rollback: become the snapshot.",
            autocompletion=complete_mode,
        ),
    ] = "repair",
    target: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write a plain folder there and touch nothing else.")
    ] = None,
    keep_sessions: Annotated[
        bool, typer.Option("--keep-sessions", help="The bot has been off since the snapshot: sessions fit.")
    ] = False,
    from_bak: Annotated[
        bool,
        typer.Option("--from-bak", help="Bring creds.json back from a copy beside it (creds.json.bak ...)."),
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
    as a snapshot. Both say first what they cost in messages. --from-bak needs no snapshot: it mends a lost
    creds.json from the copy that the bot keeps beside it (creds.json.bak ...), if that is whole and of the same login.

    \b
    Examples:
      baileys-tools restore --company 1001 --dry-run
      baileys-tools restore --company 1001 --yes
      baileys-tools restore --company 1001 41 --mode rollback
      baileys-tools restore --company 1001 --target /tmp/company_1001
      baileys-tools restore --all --identity key.txt            # a new host
      baileys-tools restore --company 1001 --from-bak --dry-run
    """
    from baileys_tools.recovery.restore_job import RestoreOptions
    from baileys_tools.recovery.restoring import restore_command
    from baileys_tools.recovery.restoring_all import restore_all_command

    more = {"backup.identity_file": identity}
    given = command_line(sessions, config, more=more, json=json, quiet=quiet, verbose=verbose)
    options = RestoreOptions(company, snapshot, mode, target, keep_sessions, dry_run, force, yes, from_bak)
    run = restore_all_command if every else restore_command
    finish(lambda: run(given, options))
