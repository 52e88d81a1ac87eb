"""`renew-sessions`: set all broken sessions of a company aside, those first that the log names."""

from __future__ import annotations

from datetime import UTC, datetime

from baileys_tools.cures.contact import settled
from baileys_tools.cures.log_evidence import evidence_in_logs
from baileys_tools.cures.rules.asides import CurePlan
from baileys_tools.cures.rules.sessions import broken_sessions, plan_renewal
from baileys_tools.cures.rules.unreadable import Evidence
from baileys_tools.cures.setting_aside import CureOptions, Shown, cure
from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_in_force
from baileys_tools.sessions.mappings import Mappings
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind

VERB = "renew-sessions"


def renew_sessions_command(
    given: CommandLine, options: CureOptions, *, broken: bool, most: int, show_numbers: bool
) -> ExitCode:
    """Given the command line, set broken sessions aside or plan it, print it once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    options = options.about_one(loaded.settings, VERB)
    if not broken:
        raise UsageError(
            "which sessions?",
            "Give --broken: those that the log calls unreadable, or that no bot can read. "
            "One contact by its number: baileys-tools contact --company ID NUMBER --renew",
        )
    now = datetime.now(UTC)
    evidence, troubles = evidence_in_logs(loaded.settings, options.company, now)

    def look(folder: int, facts: FolderFacts) -> CurePlan:
        return plan_for_all(folder, facts, evidence, most)

    return cure(loaded, VERB, options, now, look, Shown(show_numbers, given.as_json, given.quiet), troubles)


def plan_for_all(folder: int, facts: FolderFacts, evidence: Evidence, most: int) -> CurePlan:
    """Given an open folder, return which broken sessions are set aside: those of `most` devices at most."""
    mappings = Mappings(folder)
    ill = broken_sessions(
        facts.of(Kind.SESSION), lambda name: settled(folder, name, facts), evidence, mappings.twin
    )
    return plan_renewal(facts, ill, mappings.twin, most)
