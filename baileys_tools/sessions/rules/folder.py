"""The facts of one session folder that decisions rest on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.keyfiles import Kind


class FileStat(Protocol):
    """What identifies one version of a file: compared again at the moment of effect.

    `os.stat_result` is one: with 100,000 files in a folder, copying three numbers out of each would be felt.
    """

    @property
    def st_size(self) -> int: ...  # bytes

    @property
    def st_mtime_ns(self) -> int: ...

    @property
    def st_ino(self) -> int: ...


class Oddity(NamedTuple):
    """An entry that is no plain file of one name. It is reported, never opened and never removed.

    `failed`: the system would not say what it is.
    """

    name: str
    what: str
    failed: bool = False


class FolderFacts(NamedTuple):
    """What was seen in a folder, this tool's own files left out.

    `names` are the files by kind, sorted. `stats` has an entry for each file that a rule may remove: all
    sessions, sender-keys and memories, and the pre-keys where there are more than stay in any case; and for
    `creds.json`. `owned_by_content` says for sender-keys whose owner the name cannot tell whether the record
    holds a private signing key.
    """

    names: Mapping[Kind, Sequence[str]]
    stats: Mapping[str, FileStat]
    creds: Creds | CredsState
    oddities: tuple[Oddity, ...] = ()
    owned_by_content: Mapping[str, bool] = {}

    def of(self, kind: Kind) -> Sequence[str]:
        """The names of one kind."""
        return self.names.get(kind, ())

    @property
    def file_count(self) -> int:
        """All files of the folder."""
        return sum(map(len, self.names.values()))
