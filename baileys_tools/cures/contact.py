"""`contact`: what a session folder holds of one contact; with --renew, its broken sessions set aside."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.cures.log_evidence import evidence_in_logs
from baileys_tools.cures.rules.asides import AsideReason, CurePlan
from baileys_tools.cures.rules.contact import (
    ContactReport,
    Identity,
    Typed,
    is_group,
    known_as,
    sessions_of,
    typed_contact,
    what_is_held,
)
from baileys_tools.cures.rules.sessions import (
    LARGEST_SESSION,
    SessionFile,
    broken_sessions,
    plan_renewal,
    read_session,
)
from baileys_tools.cures.rules.unreadable import Evidence
from baileys_tools.cures.setting_aside import CureOptions, Shown, cure
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.sessions.locks import told_of
from baileys_tools.sessions.mappings import Mappings
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import companions_of
from baileys_tools.sessions.rules.node_json import UnreadJson, read_json
from baileys_tools.sessions.scan import read_regular_file, scan_folder

VERB = "contact"
LARGEST_DEVICE_LIST = 1 << 16


def contact_command(
    given: CommandLine, options: CureOptions, who: str, *, renew: bool, every: bool, show_numbers: bool
) -> ExitCode:
    """Given the command line, show what is held of a contact or renew it, print it once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    options = options.about_one(loaded.settings, VERB)
    typed = typed_contact(who)
    if typed is None:
        raise _invalid(options.company, who.strip())
    if not renew and (every or options.dry_run or options.yes):
        raise UsageError("--all-sessions, --dry-run and --yes go with --renew")
    now = datetime.now(UTC)
    if renew:
        evidence, troubles = evidence_in_logs(loaded.settings, options.company, now)

        def look(folder: int, facts: FolderFacts) -> CurePlan:
            return plan_for_contact(folder, facts, typed, evidence, every=every)

        return cure(
            loaded, VERB, options, now, look, Shown(show_numbers, given.as_json, given.quiet), troubles
        )
    with recorded(VERB, loaded.settings, now, quiet=given.quiet) as run:
        report = look_up(loaded.settings, require_sessions_path(loaded), options.company, typed, now)
        run.ended(ExitCode.DONE, sessions=len(report.held.sessions))
    if given.as_json:
        from baileys_tools.cures.show.contact_json import contact_json

        print(contact_json(report, show_numbers=show_numbers))
    elif not given.quiet:
        from baileys_tools.cures.show.contact_text import contact_text

        print(contact_text(report, show_numbers=show_numbers))
    return ExitCode.DONE


def look_up(
    settings: Settings, root_path: str, company_id: str, typed: Typed, now: datetime
) -> ContactReport:
    """Return what a company's folder holds of a contact. Touches nothing. Raises exit code 10 for nothing at all."""
    evidence, troubles = evidence_in_logs(settings, company_id, now)
    with Root(root_path) as root:
        (company,) = companies_of_run(root, settings, only=[company_id])
        with told_of(company.id), root.open(company) as folder:
            facts = scan_folder(folder)
            mappings = Mappings(folder)
            identity = known_as(typed, facts, mappings.lid_of, mappings.pn_of)
            files = {name: session_in(folder, name) for name in sessions_of(identity, facts)}
            broken = broken_sessions(list(files), files.__getitem__, evidence, mappings.twin)
            held = what_is_held(identity, facts, files, broken, _listed(folder, identity), evidence)
    if held.is_empty:
        raise _unknown(company.id)
    return ContactReport(company.id, company.path, now, held, tuple(troubles))


def _invalid(company: str, who: str) -> UsageError:
    if is_group(who):
        cure = command("baileys-tools resend-group-keys --company {} --group {}", company, who)
        return UsageError(
            "invalid contact: that is a group", f"To have the bot send it its key again: {cure}"
        )
    return UsageError(
        "invalid contact: neither a phone number, nor a LID, nor an address",
        "Give the number with its country code (4917012345678), or the LID as 123456789012345@lid.",
    )


def _unknown(company: str) -> BaileysToolsError:
    return BaileysToolsError(
        f"the folder of company {company} holds nothing of that contact",
        f"{command('baileys-tools contacts --company {}', company)} lists the contacts whose number and LID it knows.",
        exit_code=ExitCode.NOT_FOUND,
    )


def session_in(folder: int, name: str) -> SessionFile:
    """Return what a session file holds; one that nobody may read here counts as whole.

    Where its .bak stands alone the bot reads that.
    """
    for beside in (name, *companions_of(name)[:1]):
        try:
            content = read_regular_file(folder, beside, LARGEST_SESSION + 1)
        except FileNotFoundError:
            continue
        except OSError:
            break
        return read_session(content) if len(content) <= LARGEST_SESSION else SessionFile()
    return SessionFile()


def _listed(folder: int, identity: Identity) -> int | None:
    """Return how many devices the device lists of a contact name, None where there is none."""
    devices: set[str] = set()
    is_there = False
    for user in identity.users:
        with suppress(OSError, UnreadJson):
            found = read_json(read_regular_file(folder, f"device-list-{user}.json", LARGEST_DEVICE_LIST))
            is_there = True
            devices |= {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()
    return len(devices) if is_there else None


def plan_for_contact(
    folder: int, facts: FolderFacts, typed: Typed, evidence: Evidence, *, every: bool
) -> CurePlan:
    """Given an open folder and a contact, return which of its sessions are set aside. Raises exit code 10 for none."""
    mappings = Mappings(folder)
    identity = known_as(typed, facts, mappings.lid_of, mappings.pn_of)
    names = sessions_of(identity, facts)
    if not names:
        raise BaileysToolsError(
            "the folder holds no session of that contact",
            "There is nothing to renew: the next message makes one.",
            exit_code=ExitCode.NOT_FOUND,
        )
    files = {name: settled(folder, name, facts) for name in names}
    ill = broken_sessions(names, files.__getitem__, evidence, mappings.twin)
    if every:
        ill |= {name: AsideReason.ASKED for name in names if name not in ill}
    return plan_renewal(facts, ill, mappings.twin)


def settled(folder: int, name: str, facts: FolderFacts) -> SessionFile:
    """As `session_in`; what looks torn and was written just now is being written, and counts as whole.

    Baileys truncates, then writes: an outside reader sees an empty file.
    """
    held = session_in(folder, name)
    if held.why is not AsideReason.TORN:
        return held
    age_ns = int(datetime.now(UTC).timestamp() * 1e9) - facts.stats[name].st_mtime_ns
    return SessionFile() if 0 <= age_ns < BEING_WRITTEN_NS else held


BEING_WRITTEN_NS = 10 * 1_000_000_000
