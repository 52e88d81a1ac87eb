"""The rules of an inspection that need more than a listing: contents, modes, owners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from stat import S_IROTH, S_IWOTH

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.clock import in_nanoseconds, nanoseconds
from baileys_tools.sessions.rules.counting import count_files
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.fullness import HealthRules
from baileys_tools.sessions.rules.inspected import Broken, Elsewhere, FullStat, Inspected
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, kind_of
from baileys_tools.sessions.rules.owners import foreign_files, not_writable, owner_findings
from baileys_tools.units import counted, format_size, printable
from baileys_tools.watching.rules.health import activity_findings
from baileys_tools.watching.rules.health_keys import key_form_findings, lone_keys, unusable
from baileys_tools.watching.rules.health_stray import is_leftover
from baileys_tools.watching.rules.health_surroundings import (
    cleanup_findings,
    old_folder_findings,
    snapshot_findings,
    space_findings,
)

TOLD_BY_CONTENT = frozenset({"lid-mapping-without-twin"})
"""Codes of which an inspection knows better than a listing."""

SETTLED_AFTER = timedelta(minutes=10)
"""Baileys writes new pre-keys first and their count after the server has answered: until then nothing is wrong."""

_REVERSE = "_reverse"

Evidence = Mapping[str, Sequence[str]]


def evidence_of(seen: Inspected, now: datetime) -> Evidence:
    """Given what was seen, return the names of the files that each finding would speak of, by code."""
    lone = lone_keys(seen.folder)
    key_files = _key_files(seen)
    unknown = seen.folder.of(Kind.UNKNOWN)
    odd = {oddity.name for oddity in seen.folder.oddities}
    found = {
        "key-files-empty": _broken(seen, Broken.EMPTY),
        "key-files-torn": _broken(seen, Broken.TORN),
        "key-files-unreadable": _broken(seen, Broken.UNREADABLE),
        "key-files-form": unusable(seen.folder, seen.used_by),
        "lid-mapping-without-twin": _without_twin(seen),
        "creds-behind-pre-keys": _above_counter(seen, now),
        "memory-without-own-key": lone.memories,
        "own-key-without-memory": lone.own_keys,
        "leftover-files": [name for name in unknown if is_leftover(name)],
        "unknown-files": [name for name in unknown if not is_leftover(name) and name not in odd],
        "odd-entries": sorted(odd),
        "keys-readable-by-all": _open_to_all(seen, S_IROTH),
        "keys-writable-by-all": _open_to_all(seen, S_IWOTH),
        "foreign-owner": sorted({*foreign_files(key_files), *not_writable(key_files)}),
    }
    return {code: names for code, names in found.items() if names}


def standing_findings(company: str, seen: Inspected, rules: HealthRules, now: datetime) -> list[Finding]:
    """Given what the stats of all files tell, return what is worth a warning and that a listing does not show."""
    key_files = _key_files(seen)
    evidence = {
        "key-files-empty": _broken(seen, Broken.EMPTY),
        "creds-behind-pre-keys": _above_counter(seen, now),
        "keys-writable-by-all": _open_to_all(seen, S_IWOTH),
    }
    found = [
        *broken_findings(company, evidence),
        *_key_findings(company, evidence),
        *_access_findings(company, evidence),
        *owner_findings(company, key_files, seen.itself),
        *_oddity_findings(company, seen),
        *([_too_large(company, seen.size, rules)] if seen.size > rules.largest_folder else []),
    ]
    return [one for one in found if one.severity is not Severity.NOTICE]


def deep_findings(
    company: str,
    seen: Inspected,
    elsewhere: Elsewhere,
    rules: HealthRules,
    evidence: Evidence,
    now: datetime,
    *,
    creds_lost: bool,
) -> Iterator[Finding]:
    """Yield the findings that a listing alone could not tell. `creds_lost` is what one could."""
    creds = seen.folder.creds
    if isinstance(creds, Creds) and creds.paired and (last := seen.last_activity):
        yield from activity_findings(company, last, rules, now)
    yield from broken_findings(company, evidence)
    yield from key_form_findings(company, seen.folder, evidence.get("key-files-form", ()), seen.used_by)
    yield from _key_findings(company, evidence)
    yield from _access_findings(company, evidence)
    yield from owner_findings(company, _key_files(seen), seen.itself)
    yield from _oddity_findings(company, seen)
    if seen.lock:
        yield _locked(company, seen.lock)
    if seen.size > rules.largest_folder:
        yield _too_large(company, seen.size, rules)
    yield from old_folder_findings(company, elsewhere.old_folders)
    yield from space_findings(company, seen.space, rules)
    if elsewhere.last_cleanup is not None:
        counted_files = count_files(seen.folder, rules.pre_keys_kept, guard=rules.pre_key_guard).counted
        yield from cleanup_findings(company, counted_files, elsewhere.last_cleanup, rules)
    yield from snapshot_findings(
        company, elsewhere.snapshots, seen.last_activity, rules, now, creds_lost=creds_lost
    )


# --- what the files hold ------------------------------------------------------------------------------------


def _broken(seen: Inspected, how: Broken) -> list[str]:
    return sorted(name for name, broken in seen.broken.items() if broken is how)


def _without_twin(seen: Inspected) -> list[str]:
    """`lid-mapping-<number>.json` says `"<lid>"`, and `lid-mapping-<lid>_reverse.json` says `"<number>"`.

    Only whether the twin is there counts: after a change of number it may well speak of another.
    """
    lonely = []
    for name, other in seen.mappings.items():
        is_reverse = key_id_of(name, Kind.LID_MAPPING).endswith(_REVERSE)
        if f"lid-mapping-{other}{'' if is_reverse else _REVERSE}.json" not in seen.present:
            lonely.append(name)
    return sorted(lonely)


def _above_counter(seen: Inspected, now: datetime) -> list[str]:
    """One that was just made may stand before creds are saved. What creds themselves count as uploaded never does."""
    creds = seen.folder.creds
    if not isinstance(creds, Creds) or creds.next_pre_key_id is None:
        return []
    settled = nanoseconds(now) - in_nanoseconds(SETTLED_AFTER)
    first, uploaded = creds.next_pre_key_id, creds.first_unuploaded_pre_key_id or 0
    return [
        name
        for name in seen.folder.of(Kind.PRE_KEY)
        if (number := int(key_id_of(name, Kind.PRE_KEY))) >= first
        and name in seen.stats
        and (number < uploaded or seen.stats[name].st_mtime_ns < settled)
    ]


def broken_findings(company: str, evidence: Evidence) -> Iterator[Finding]:
    """Given the names of broken key files by code, yield what to say of them.

    Baileys takes what does not parse for missing (`readData` answers null to any error).
    """
    restore = f"With the bot stopped: {command('baileys-tools restore --company {} --dry-run', company)}"
    renew = command("baileys-tools renew-sessions --company {} --broken --dry-run", company)
    texts = (
        (
            "key-files-empty",
            "0 bytes",
            f"Is the disk full, or was it? What was in them is lost to the bot. {restore}",
        ),
        (
            "key-files-torn",
            "no whole JSON",
            f"What was in them is lost to the bot. {restore}",
        ),
        (
            "key-files-unreadable",
            "not readable",
            "Inspect as the folder's owner or as root. If that fails too, look at the disk: dmesg",
        ),
    )
    for code, what, action in texts:
        if names := evidence.get(code):
            by_kind = Counter(map(kind_of, names))
            if by_kind.keys() == {Kind.SESSION} and action.endswith(restore):
                # An older session is worse than none, so no restore brings one back.
                action = action.removesuffix(restore) + f"Under a running bot, too: {renew}"
            listed = ", ".join(f"{kind} {number}" for kind, number in by_kind.most_common())
            yield Finding(
                code,
                Severity.WARNING,
                company,
                f"{counted(len(names), 'key file')} with {what}"
                if what != "not readable"
                else f"{counted(len(names), 'key file')} cannot be read",
                action,
                {"files": len(names), "kinds": listed},
            )


def _key_findings(company: str, evidence: Evidence) -> Iterator[Finding]:
    if lonely := evidence.get("lid-mapping-without-twin"):
        yield Finding(
            "lid-mapping-without-twin",
            Severity.WARNING,
            company,
            f"{counted(len(lonely), 'LID mapping')} without the other half: messages to or from these contacts can "
            "miss their session",
            "Bring them back: "
            f"{command('baileys-tools restore --company {} --dry-run', company)}. Find out what removed "
            "them: this tool never does.",
            {"files": len(lonely)},
        )
    if above := evidence.get("creds-behind-pre-keys"):
        yield Finding(
            "creds-behind-pre-keys",
            Severity.WARNING,
            company,
            f"{counted(len(above), 'pre-key')} have ids at or above nextPreKeyId: creds.json lost a save or was "
            "rolled back, and the bot will write over them, though the server still hands them out",
            "Does the bot call saveCreds at every creds.update? Do not restore creds.json alone. What to write "
            "into it: baileys-tools explain creds-behind-pre-keys",
            {"files": len(above)},
        )


# --- who can reach them -------------------------------------------------------------------------------------


def _open_to_all(seen: Inspected, bit: int) -> list[str]:
    if not seen.open_to_all:
        return []
    unknown = frozenset(seen.folder.of(Kind.UNKNOWN))
    return sorted(name for name, one in seen.stats.items() if one.st_mode & bit and name not in unknown)


def _key_files(seen: Inspected) -> Mapping[str, FullStat]:
    unknown = frozenset(seen.folder.of(Kind.UNKNOWN))
    return {name: one for name, one in seen.stats.items() if name not in unknown}


def _access_findings(company: str, evidence: Evidence) -> Iterator[Finding]:
    if names := evidence.get("keys-writable-by-all"):
        yield Finding(
            "keys-writable-by-all",
            Severity.WARNING,
            company,
            f"{counted(len(names), 'key file')} can be changed by every user of this host",
            "Take the right back (chmod -R o-w), and start the bot with umask 077.",
            {"files": len(names)},
        )
    if names := evidence.get("keys-readable-by-all"):
        yield Finding(
            "keys-readable-by-all",
            Severity.NOTICE,
            company,
            f"{counted(len(names), 'key file')} can be read by every user of this host; whoever reads them can "
            "write in the account's name",
            "Close the folder to others (chmod o-rwx), and start the bot with umask 077.",
            {"files": len(names)},
        )


def _oddity_findings(company: str, seen: Inspected) -> Iterator[Finding]:
    # A linked creds.json is a finding of its own.
    oddities = [one for one in seen.folder.oddities if one != Oddity("creds.json", "a symbolic link")]
    if not oddities:
        return
    named_like_keys = sum(kind_of(oddity.name) is not Kind.UNKNOWN for oddity in oddities)
    kinds = Counter(oddity.what for oddity in oddities)
    listed = ", ".join(f"{printable(what)} ({number})" for what, number in kinds.most_common(4))
    yield Finding(
        "odd-entries",
        Severity.WARNING if named_like_keys else Severity.NOTICE,
        company,
        f"{counted(len(oddities), 'entry', 'entries')} not plain files of one name: {listed}",
        f"See which: {command('baileys-tools inspect --company {} -v', company)}. A bot can hang "
        "on them, and this tool leaves "
        "them alone.",
        {"entries": len(oddities), "named_like_keys": named_like_keys},
    )


def _locked(company: str, holder: str) -> Finding:
    return Finding(
        "folder-locked",
        Severity.NOTICE,
        company,
        f"locked by {printable(holder)}",
        "A cleanup or restore is at work. Other jobs skip this company meanwhile.",
    )


def _too_large(company: str, size: int, rules: HealthRules) -> Finding:
    return Finding(
        "folder-large",
        Severity.WARNING,
        company,
        f"{format_size(size)} in the session folder (limit {format_size(rules.largest_folder)})",
        f"See what takes the room: {command('baileys-tools inspect --company {} -v', company)}",
        {"bytes": size, "limit": rules.largest_folder},
    )
