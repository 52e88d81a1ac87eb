"""What an inspection read in files and a pass does not: remembered for as long as those files stay as they were.

To read every file at every minute would cost more than all the rest of a pass.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from baileys_tools.findings import Finding
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.state import memory
from baileys_tools.state.database import State

INSPECTED = "inspected"
KEPT_CODES = ("key-files-torn", "key-files-unreadable")
MOST_FILES = 20
"""Files of a company that are asked at each pass."""


def keep_inspection(
    state: State, company: str, evidence: Mapping[str, Sequence[str]], stats: Mapping[str, Any]
) -> None:
    """Remember which files were found broken, and as what they stood there."""
    found = {
        code: [
            [name, stats[name].st_mtime_ns, stats[name].st_size]
            for name in evidence.get(code, ())[:MOST_FILES]
            if name in stats
        ]
        for code in KEPT_CODES
    }
    found = {code: rows for code, rows in found.items() if rows}
    if found:
        memory.keep(state, INSPECTED, found, company)
    else:
        memory.forget(state, INSPECTED, company)


def kept_inspections(state: State) -> dict[str, Any]:
    """Return what is remembered of all companies; nothing where nothing is, as at nearly every minute."""
    return memory.recall_all(state, INSPECTED)


def still_broken(root: Root, company: Company, kept: Any) -> Iterator[Finding]:
    """Given what is remembered of a company, yield the findings of the files that stand there as they were."""
    from baileys_tools.watching.rules.inspection_rules import broken_findings

    evidence: dict[str, list[str]] = {}
    with suppress(OSError, TypeError, ValueError, AttributeError), root.open(company) as folder:
        for code, rows in kept.items():
            for name, mtime_ns, size in rows:
                with suppress(OSError):
                    seen = os.stat(str(name), dir_fd=folder, follow_symlinks=False)
                    if (seen.st_mtime_ns, seen.st_size) == (mtime_ns, size):
                        evidence.setdefault(str(code), []).append(str(name))
    yield from broken_findings(company.id, evidence)
