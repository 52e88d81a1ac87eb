"""`resend-group-keys`: have the bot send its own key again to the members of a group."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from baileys_tools.cures.rules.asides import CurePlan
from baileys_tools.cures.rules.group_keys import (
    group_named,
    groups_with_own_key,
    memories_of,
    plan_group_keys,
)
from baileys_tools.cures.setting_aside import CureOptions, Shown, cure
from baileys_tools.cures.show.words import group_shown
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_in_force
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import companions_of
from baileys_tools.sessions.rules.node_json import LARGEST
from baileys_tools.sessions.rules.senderkeys import STATUS_BROADCAST, devices_told
from baileys_tools.sessions.scan import read_regular_file
from baileys_tools.units import counted

VERB = "resend-group-keys"


def resend_group_keys_command(
    given: CommandLine, options: CureOptions, groups: list[str], *, every: bool, show_numbers: bool
) -> ExitCode:
    """Given the command line, set the memories of groups aside or plan it, print it once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    options = options.about_one(loaded.settings, VERB)
    if every == bool(groups) or "" in groups:
        raise UsageError("which group?", "Give --group ID (repeatable), or --all.")
    wanted = list(dict.fromkeys(group_named(group) for group in groups))
    if STATUS_BROADCAST in wanted:
        raise UsageError(
            f"{STATUS_BROADCAST} has no such memory: Baileys writes it and never reads it",
            "The bot sends its key with each status.",
        )
    now = datetime.now(UTC)

    def look(folder: int, facts: FolderFacts) -> CurePlan:
        if unknown := set(wanted).difference(memories_of(facts), groups_with_own_key(facts)):
            raise _unknown([group for group in wanted if group in unknown], facts, show_numbers=show_numbers)
        return _plan(folder, facts, wanted)

    shown = Shown(show_numbers, given.as_json, given.quiet)
    return cure(loaded, VERB, options, now, plan_all_groups if every else look, shown)


def plan_all_groups(folder: int, facts: FolderFacts) -> CurePlan:
    """Given an open folder and what stands in it, plan for all its groups."""
    return _plan(folder, facts, list(memories_of(facts)))


def _plan(folder: int, facts: FolderFacts, groups: list[str]) -> CurePlan:
    memories = memories_of(facts)
    told = {group: _told(folder, memories[group]) for group in groups if group in memories}
    return plan_group_keys(facts, groups, told)


def _unknown(groups: list[str], facts: FolderFacts, *, show_numbers: bool) -> BaileysToolsError:
    named = ", ".join(group_shown(group, show_numbers) for group in groups)
    return BaileysToolsError(
        f"the bot has no key of its own in {named}, and no memory of one",
        f"The folder has memories of {counted(len(memories_of(facts)), 'group')}: --all --dry-run lists them.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _told(folder: int, memory: str) -> int:
    """Return how many devices a memory names. Where its .bak stands alone the bot reads that."""
    for name in (memory, *companions_of(memory)):
        with suppress(OSError):
            return len(devices_told(read_regular_file(folder, name, LARGEST + 1)))
    return 0
