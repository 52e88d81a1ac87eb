"""`contacts`: the phone numbers and LIDs that a session folder ties together, as a table."""

from __future__ import annotations

from datetime import UTC, datetime

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.cures.rules.contact import ContactsReport, pairs_of
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run, company_meant
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.locks import told_of
from baileys_tools.sessions.mappings import Mappings
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.scan import scan_names

VERB = "contacts"


def contacts_command(given: CommandLine, company: str, *, csv: bool, show_numbers: bool) -> ExitCode:
    """Given the command line, print the table once, and return the exit code."""
    from baileys_tools.cures.show import contacts_text

    loaded = settings_in_force(given.flags, given.config)
    company = company_meant(loaded.settings, company, VERB)
    now = datetime.now(UTC)
    with recorded(VERB, loaded.settings, now) as run:
        report = list_contacts(loaded.settings, require_sessions_path(loaded), company, now)
        run.ended(ExitCode.DONE, contacts=len(report.pairs))
    if given.as_json:
        print(contacts_text.contacts_json(report, show_numbers=show_numbers))
    elif csv:
        print(contacts_text.contacts_csv(report, show_numbers=show_numbers), end="")
    else:
        print(contacts_text.contacts_text(report, show_numbers=show_numbers))
    contacts_text.say_what_was_printed(report, show_numbers=show_numbers)
    return ExitCode.DONE


def list_contacts(settings: Settings, root_path: str, company_id: str, now: datetime) -> ContactsReport:
    """Return the pairs that a company's mappings tell. Touches nothing; each file is read under a cap."""
    with Root(root_path) as root:
        (company,) = companies_of_run(root, settings, only=[company_id])
        with told_of(company.id), root.open(company) as folder:
            names = scan_names(folder).of(Kind.LID_MAPPING)
            mappings = Mappings(folder)
            said = [(name, mappings.said(name)) for name in names]
    usable = [(name, user) for name, user in said if user is not None]
    return ContactsReport(company.id, company.path, now, pairs_of(usable), len(said) - len(usable))
