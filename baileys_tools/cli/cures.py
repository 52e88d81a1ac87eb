"""What is mended by hand: `resend-group-keys`, `contact`, `renew-sessions` and `contacts`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import (
    ConfigOption,
    JsonOption,
    OneIfSeveralOption,
    QuietOption,
    SessionsOption,
    app,
    command_line,
    finish,
)

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan and touch nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NumbersOption = Annotated[
    bool, typer.Option("--show-numbers", help="Print phone numbers and LIDs in full, not masked.")
]


@app.command("resend-group-keys")
def resend_group_keys(
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="ID", help="This group; repeatable.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All groups that the bot has written to.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    show_numbers: NumbersOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Mend "Waiting for this message" in groups.

    Has the bot send its key again: sets aside, undoably, the note of who has it (sender-key-memory). With its next
    message to the group the bot sends its key to every device. No message comes late, and no key is lost. Works
    under a running bot; one that caches its keys may need a new start, and then this says so.

    \b
    Examples:
      baileys-tools resend-group-keys --company 1001 --all --dry-run
      baileys-tools resend-group-keys --company 1001 --group 120363400000000001
    """
    from baileys_tools.cures.group_keys import resend_group_keys_command
    from baileys_tools.cures.setting_aside import CureOptions

    options = CureOptions(company, dry_run, yes)
    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(
        lambda: resend_group_keys_command(given, options, group or [], every=every, show_numbers=show_numbers)
    )


@app.command()
def contact(
    who: Annotated[
        str, typer.Argument(metavar="NUMBER|LID", help="Phone number with country code, or a LID.")
    ],
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Set its broken sessions aside, so that new ones are made.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all-sessions", help="With --renew: also those that look whole.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    show_numbers: NumbersOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what a session folder holds of one contact, or renew it.

    Sessions by device with their last use, identities, the mapping of number and LID, tokens, keys in groups.
    --renew sets aside, undoably, what is broken: sessions that no bot can read, and those that the bot's log
    calls unreadable ("Bad MAC"), with the twin under the other address. Then the bot best writes first: if the
    contact does, its first message comes late by one resend.

    \b
    Examples:
      baileys-tools contact --company 1001 4917012345678
      baileys-tools contact --company 1001 123456789012345@lid --json
      baileys-tools contact --company 1001 4917012345678 --renew --dry-run
    """
    from baileys_tools.cures.contact import contact_command
    from baileys_tools.cures.setting_aside import CureOptions

    options = CureOptions(company, dry_run, yes)
    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(lambda: contact_command(given, options, who, renew=renew, every=every, show_numbers=show_numbers))


@app.command("renew-sessions")
def renew_sessions(
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    broken: Annotated[
        bool, typer.Option("--broken", help="Those that the log calls unreadable, and torn files.")
    ] = False,
    most: Annotated[int, typer.Option(metavar="N", min=1, help="At most N devices in this run.")] = 50,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    show_numbers: NumbersOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    config: ConfigOption = None,
) -> None:
    """Set broken sessions aside, so that new ones are made.

    As contact --renew, for every contact that the bot's log names as unreadable and whose messages have not been
    read since, and for every session file that no bot can read.

    \b
    Examples:
      baileys-tools renew-sessions --company 1001 --broken --dry-run
      baileys-tools renew-sessions --company 1001 --broken --most 20 --yes
    """
    from baileys_tools.cures.renewing import renew_sessions_command
    from baileys_tools.cures.setting_aside import CureOptions

    options = CureOptions(company, dry_run, yes)
    given = command_line(sessions, config, json=json, quiet=quiet)
    finish(
        lambda: renew_sessions_command(given, options, broken=broken, most=most, show_numbers=show_numbers)
    )


@app.command()
def contacts(
    company: OneIfSeveralOption = "",
    sessions: SessionsOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    show_numbers: NumbersOption = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which phone number has which LID.

    A table of what the folder's mappings say. Masked, unless --show-numbers is given: then full numbers are
    printed, and standard error says so.

    \b
    Examples:
      baileys-tools contacts --company 1001
      baileys-tools contacts --company 1001 --csv --show-numbers
    """
    from baileys_tools.cures.contacts import contacts_command

    given = command_line(sessions, config, json=json)
    finish(lambda: contacts_command(given, company, csv=csv, show_numbers=show_numbers))
