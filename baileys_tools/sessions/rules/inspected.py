"""What an inspection saw in a session folder, and what others know about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from baileys_tools.sessions.rules.folder import FileStat, FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.owners import OwnedFile
from baileys_tools.sessions.rules.removals import Cleaned
from baileys_tools.sessions.rules.surroundings import OldFolder, Snapshots, Space
from baileys_tools.units import moment_of


class FullStat(FileStat, OwnedFile, Protocol):
    """What rules look at of a file. `os.stat_result` is one."""


class Broken(StrEnum):
    """Why Baileys takes a key file for missing (`Utils/use-multi-file-auth-state.js`: `readData`)."""

    EMPTY = "empty"
    TORN = "torn"
    """Not JSON, or null: cut off or overwritten."""
    UNREADABLE = "unreadable"
    """The system refuses to read it."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """A session folder as an inspection saw it.

    `stats` has every plain file. `open_to_all` says that every user of the host gets as far as the folder. `broken`
    are key files that Baileys cannot read, looked at again and again. `mappings` is what each LID mapping says,
    `used_by` which versions can use a key that not all can, `present` the names there were after all was read. `lock`
    says who holds or left a lock. `kept_bytes` is what this tool keeps in the folder itself. `itself` is the folder.
    """

    folder: FolderFacts
    stats: Mapping[str, FullStat]
    open_to_all: bool
    space: Space
    broken: Mapping[str, Broken] = field(default_factory=dict)
    mappings: Mapping[str, str] = field(default_factory=dict)
    used_by: Mapping[str, frozenset[int]] = field(default_factory=dict)
    present: frozenset[str] = frozenset()
    lock: str = ""
    kept_bytes: int = 0
    itself: FullStat | None = None

    @property
    def size(self) -> int:
        """Bytes in the folder, this tool's own left out."""
        return sum(seen.st_size for seen in self.stats.values())

    @property
    def last_activity(self) -> datetime | None:
        """When the bot last wrote a file of its own; None when there is none."""
        unknown = frozenset(self.folder.of(Kind.UNKNOWN))
        written = [seen.st_mtime_ns for name, seen in self.stats.items() if name not in unknown]
        return moment_of(max(written)) if written else None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What others know about a company. None and nothing where nobody was asked."""

    snapshots: Snapshots | None = None
    last_cleanup: Cleaned | None = None
    strictest_leaves: int = 0
    was_linked: bool = False
    """Other companies whose creds.json belongs to the same linked device."""
    old_folders: Sequence[OldFolder] = ()
    """What rollbacks have left, beside the folder and in it."""
