"""Files in a session folder that Baileys did not write, as far as this tool knows."""

import re
from collections.abc import Iterator, Sequence

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.creds import CredsState, state_of
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.units import counted

LEFTOVER_ENDINGS = (".tmp", ".temp", ".bak", ".backup", ".old", ".orig", ".part", ".swp", "~")
"""How programs name what they forgot to remove. Baileys itself makes no such file."""


def is_leftover(name: str) -> bool:
    """Whether a file is named like what a program forgot to remove."""
    return name.lower().endswith(LEFTOVER_ENDINGS)


def stray_findings(company: str, facts: FolderFacts) -> Iterator[Finding]:
    """Yield a finding for copies and temporary files, and one for files of no known kind."""
    # What is not even a plain file is a finding of its own.
    odd = {oddity.name for oddity in facts.oddities}
    unknown = [name for name in facts.of(Kind.UNKNOWN) if name not in odd]
    leftovers = sum(map(is_leftover, unknown))
    if leftovers:
        yield Finding(
            "leftover-files",
            Severity.NOTICE,
            company,
            f"{counted(leftovers, 'temporary file or copy', 'temporary files or copies')} (.tmp, .bak ...) that "
            "Baileys did not write",
            f"See which: {command('baileys-tools inspect --company {} -v', company)}. Copies of "
            "keys are as secret as keys.",
            {"files": leftovers},
        )
    others = [name for name in unknown if not is_leftover(name)] if leftovers else unknown
    if kept_elsewhere(facts):
        yield _in_another_form(company, facts)
    elif others:
        yield _of_no_known_kind(company, others, facts.file_count)


def kept_elsewhere(facts: FolderFacts) -> bool:
    """Whether a login stands beside nothing but entries of no known kind: a newer Baileys or a fork may keep its keys
    there (a folder or a file for each type, a database), and whether they are whole nobody here knows."""
    return (
        facts.names.keys() <= {Kind.CREDS, Kind.UNKNOWN}
        and state_of(facts.creds) is CredsState.VALID
        and not all(map(is_leftover, _strangers(facts)))
    )


def _strangers(facts: FolderFacts) -> list[str]:
    """Return what is of no known kind: files, and the folders, which a look sets aside from them."""
    folders = [odd.name for odd in facts.oddities if odd.what == "a folder"]
    return [*facts.of(Kind.UNKNOWN), *folders]


def _in_another_form(company: str, facts: FolderFacts) -> Finding:
    unknown = _strangers(facts)
    entries = counted(len(unknown), "entry", "entries")
    return Finding(
        "unknown-files",
        Severity.WARNING,
        company,
        f"beside creds.json there is nothing but {entries} of no kind that this tool knows{_beginnings(unknown)}: "
        "whether the session is whole cannot be told",
        f"See which: {command('baileys-tools inspect --company {} -v', company)}. Are the keys in them? Then this tool "
        "does not look after these yet, and no snapshot has what is in folders. Databases that it reads: baileys-tools "
        "help stores. Else the keys are lost.",
        {"files": len(unknown), "of": facts.file_count},
    )


MANY_UNKNOWN = 10
"""Unknown files from which on they may be a kind: a program keeps a few files of its own beside its session."""
UNKNOWN_SHARE = 10
"""One in so many files has to be unknown as well."""


def _of_no_known_kind(company: str, unknown: Sequence[str], files: int) -> Finding:
    """A few files are somebody's own. Many are a kind of key that a newer Baileys or a fork has, and what its rules are
    nobody here knows."""
    look = f"See which: {command('baileys-tools inspect --company {} -v', company)}."
    if len(unknown) < MANY_UNKNOWN or len(unknown) * UNKNOWN_SHARE < files:
        return Finding(
            "unknown-files",
            Severity.NOTICE,
            company,
            f"{counted(len(unknown), 'file')} that Baileys did not write",
            f"{look} They are counted and never removed.",
            {"files": len(unknown)},
        )
    return Finding(
        "unknown-files",
        Severity.WARNING,
        company,
        f"{len(unknown)} of {counted(files, 'file')} are of no kind that this tool knows (limit {MANY_UNKNOWN}, and "
        f"one in {UNKNOWN_SHARE}){_beginnings(unknown)}: whether the session is whole cannot be told",
        f"{look} They are kept, and a snapshot has them. Keys of a newer Baileys or a fork: look for a newer "
        "baileys-tools, or tell of it; files of another program: give it a folder of its own.",
        {"files": len(unknown), "of": files},
    )


def _beginnings(names: Sequence[str]) -> str:
    """Return how most of these names begin, as the types of Baileys do; nothing of what may be somebody's number."""
    found: dict[str, int] = {}
    for name in names:
        if begins := re.match(_TYPE, name):
            found[begins[0]] = found.get(begins[0], 0) + 1
    most = sorted(found, key=lambda one: (-found[one], one))[:3]
    return f", {', '.join(f'{found[one]} {one}*' for one in most)}" if most else ""


_TYPE = r"(?:[a-z]{1,20}-){1,4}"
