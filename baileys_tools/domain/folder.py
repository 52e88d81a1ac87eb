"""The facts of one session folder that decisions rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from baileys_tools.domain.creds import Creds, CredsProblem
from baileys_tools.domain.keyfiles import KeyFile, Kind


class FileStat(NamedTuple):
    """What identifies one version of a file: compared again at the moment of effect."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Oddity:
    """An entry that is no plain file of one name. It is reported, never opened and never removed."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What was seen in a folder, this tool's own files left out.

    `stats` has an entry for each file of a removable kind, and for `creds.json`. `owned_by_content` says for
    sender-keys whose owner the name cannot tell whether the record holds a private signing key.
    """

    files: Sequence[KeyFile]
    stats: Mapping[str, FileStat]
    creds: Creds | CredsProblem
    oddities: tuple[Oddity, ...] = ()
    owned_by_content: Mapping[str, bool] = field(default_factory=dict)


def count_by_kind(files: Sequence[KeyFile]) -> dict[Kind, int]:
    """Given files, return how many there are of each kind, the kinds in the order of `Kind`."""
    counts = Counter(file.kind for file in files)
    return {kind: counts[kind] for kind in Kind if counts[kind]}
