"""`cron show`, `install`, `remove` and `status`: the jobs that keep a host's session folders, in its crontab."""

import os
import sys
from collections.abc import Callable

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.own_file import write_own_file
from baileys_tools.frame.places import require_folder, settings_in_force
from baileys_tools.host import crontab
from baileys_tools.host.cron_setup import (
    account_named,
    acting_for,
    note_installation,
    own_place,
    read_tab,
    setup_of,
)
from baileys_tools.host.cron_status import UNIT_FOLDERS, find_jobs, unit_prefix, whose_jobs
from baileys_tools.host.rules.cron import Ours, blocks_in, entries_of, with_block, without_block
from baileys_tools.host.rules.cron_status import WhoseJobs, is_of, surroundings_of_block
from baileys_tools.pasted import command
from baileys_tools.units import printable


def show_command(
    given: CommandLine, *, system: bool, user: str | None, systemd: bool, into: str | None
) -> ExitCode:
    """Given the command line, print the entries, or the systemd units, for this host."""
    loaded = settings_in_force(given.flags, given.config)
    setup = setup_of(loaded, system=system, user=user)
    if not systemd:
        print(setup.block(system=system).decode("utf-8", "backslashreplace"), end="")
        return ExitCode.DONE
    from baileys_tools.host.rules.systemd import units

    prefix = unit_prefix(UNIT_FOLDERS[:1] if into is None else [into], whose_jobs(loaded, setup.variables))
    made = units(setup.entries, setup.variables, setup.account.name, setup.writable, prefix)
    if into is None:
        print("\n".join(f"# /etc/systemd/system/{name}\n{text}" for name, text in made.items()), end="")
        return ExitCode.DONE
    require_folder(loaded.settings, "--into", into)
    try:
        os.makedirs(into, exist_ok=True)
        for name, text in made.items():
            # No mark: what has such a name is ours, also after somebody has changed it.
            write_own_file(os.path.join(into, name), text.encode(), b"", mode=0o644)
    except OSError as error:
        raise BaileysToolsError(f"cannot write into {into}: {error.strerror}") from error
    timers = [name for name in made if name.endswith(".timer")]
    enable = command("systemctl daemon-reload && systemctl enable --now" + " {}" * len(timers), *timers)
    print(f"wrote {len(made)} units into {printable(into)}; next:")
    for path in setup.writable:
        if not os.path.exists(path):
            # A unit may write below such a path, not make it.
            print(f"  {command('install -d -m 700 -o {} {}', setup.account.name, path)}")
    print(f"  {enable}")
    return ExitCode.DONE


def install_command(given: CommandLine, *, system: bool, user: str | None, dry_run: bool) -> ExitCode:
    """Given the command line, put our block into the crontab, or show what would change there."""
    loaded = settings_in_force(given.flags, given.config)
    setup = setup_of(loaded, system=system, user=user)
    place = crontab.SYSTEM_FILE if system else f"the crontab of {setup.account.name}"
    ours = whose_jobs(loaded, setup.variables)
    _require_nowhere_else(loaded, place, ours)
    block = setup.block(system=system)
    if wrong := crontab.misread_times(entries_of(block)):
        raise BaileysToolsError(f"another reader of crontabs does not take this line: {wrong[0]}")
    is_ours = _ours(ours, system=system)
    changed = _change(
        loaded, lambda tab: with_block(tab, block, is_ours), system=system, dry_run=dry_run, quiet=given.quiet
    )
    if changed and not dry_run:
        with acting_for(setup.account):
            note_installation(setup.state_dir)
            if setup.log.path:
                crontab.prepare_log(setup.log.path)
        if not given.quiet:
            print(f"{len(setup.entries)} jobs run from now on")
            for note in setup.notes:
                print(f"  {printable(note)}")
            print(f"look after them: baileys-tools cron status{' --system' if system else ''}")
    _warn_of_other_cleaners(loaded.settings)
    return ExitCode.DONE


def _ours(ours: WhoseJobs, *, system: bool, is_any_path: bool = False) -> Ours:
    """Return what tells our block from those of other settings. One without a job is nobody's."""

    def is_ours(block: bytes) -> bool:
        given = surroundings_of_block(block, system=system)
        return not entries_of(block) or is_of(given, ours) or (is_any_path and given.config == ours.config)

    return is_ours


def _require_nowhere_else(loaded: LoadedSettings, place: str, ours: WhoseJobs) -> None:
    for jobs in find_jobs(loaded):
        # Two settings files in one crontab may well choose different companies of one root.
        is_other_file = None not in (jobs.given.config, loaded.config_file)
        is_apart = jobs.place == place and (is_other_file or is_of(jobs.given, ours))
        if not is_apart and jobs.root == loaded.settings.sessions.where:
            raise BaileysToolsError(
                f"{jobs.place} has the jobs for {jobs.root} already: each would run twice",
                f"Take those out first: {jobs.remove}",
                exit_code=ExitCode.REFUSED,
            )


def _warn_of_other_cleaners(settings: Settings) -> None:
    from baileys_tools.host.other_cleaners import other_tools_checks
    from baileys_tools.host.rules.doctor import CheckOutcome

    for check in other_tools_checks(settings):
        if check.outcome is not CheckOutcome.OK:
            print(f"baileys-tools: {check.message}\n  {check.action}", file=sys.stderr)


def remove_command(given: CommandLine, *, system: bool, dry_run: bool) -> ExitCode:
    """Given the command line, take our block out of the crontab, or show what would change there."""
    loaded = settings_in_force(given.flags, given.config)
    blocks = blocks_in(read_tab(system=system) or b"")
    is_ours = _ours(whose_jobs(loaded), system=system)
    is_named = given.config is not None or any(
        given.flags.get(f"sessions.{key}") for key in ("path", "roots")
    )
    if len(blocks) == 1 and not is_named:
        # Whatever its settings are: there is no other that could be meant.
        is_ours = lambda block: True  # noqa: E731
    elif loaded.config_file is not None and not any(map(is_ours, blocks)):
        is_ours = _ours(WhoseJobs(loaded.config_file), system=system, is_any_path=True)
    if blocks and not any(map(is_ours, blocks)):
        place = crontab.SYSTEM_FILE if system else f"the crontab of {account_named(None).name}"
        raise BaileysToolsError(
            f"{place} has the jobs of {len(blocks)} other settings, and none of these",
            "Say whose to take out: "
            + "; ".join(jobs.remove for jobs in find_jobs(loaded) if jobs.place == place),
            exit_code=ExitCode.NOT_FOUND,
        )
    _change(
        loaded, lambda tab: without_block(tab, is_ours), system=system, dry_run=dry_run, quiet=given.quiet
    )
    return ExitCode.DONE


def _change(
    loaded: LoadedSettings, edit: Callable[[bytes], bytes], *, system: bool, dry_run: bool, quiet: bool
) -> bool:
    place = crontab.SYSTEM_FILE if system else f"the crontab of {account_named(None).name}"
    if dry_run:
        before = read_tab(system=system)
        after = edit(before or b"")
        print(_difference(before or b"", after) or f"{place} is as it should be; nothing would change")
        return bool(after != (before or b""))
    with crontab.backups_folder(own_place(loaded.settings.state.dir, account_named(None))) as backups:
        before = read_tab(system=system)
        after = edit(before or b"")
        if after == (before or b""):
            if not quiet:
                print(f"{place} is as it should be; nothing was changed")
            return False
        write = crontab.write_system_file if system else crontab.write_crontab
        kept = write(before, after, backups)
    if not quiet:
        was = "there was none before" if before is None else f"the one before is kept in {printable(kept)}"
        print(f"changed {place}; {was}")
    return True


def _difference(before: bytes, after: bytes) -> str:
    from difflib import unified_diff

    old, new = (
        [printable(line) for line in tab.decode("utf-8", "surrogateescape").split("\n")]
        for tab in (before, after)
    )
    return "\n".join(unified_diff(old, new, "crontab", "crontab after", lineterm="", n=1))
