"""The facts of one session folder that decisions rest on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.keyfiles import UNCOUNTED, Kind
from baileys_tools.sessions.rules.prekeys import ServerPreKeys


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


class WholeKey(NamedTuple):
    """A key of several files as one: as large as all of them, and as old as the youngest."""

    st_size: int
    st_mtime_ns: int
    st_ino: int = 0


class Oddity(NamedTuple):
    """An entry that is no plain file of one name. It is reported, never opened and never removed.

    `failed`: the system would not say what it is.
    """

    name: str
    what: str
    failed: bool = False


class FolderFacts(NamedTuple):
    """What was seen in a folder, this tool's own files left out.

    `names` are the keys by kind, sorted. `stats` has an entry for each key that a rule may remove: all sessions,
    sender-keys and memories, and the pre-keys where there are more than stay in any case; and for `creds.json`. `parts`
    has the files of those keys that have companions, in the order of removal. `owned_by_content` says for sender-keys
    whose owner the name cannot tell whether the record holds a private signing key. `creds_copies` are
    called as copies of creds.json. `creds_refused`: the system, and not its content, is why that cannot be read.
    `server` is what its log says of the server's pre-keys. `has_own`: this tool may keep something there, such as a
    quarantine.
    """

    names: Mapping[Kind, Sequence[str]]
    stats: Mapping[str, FileStat]
    creds: Creds | CredsState
    oddities: tuple[Oddity, ...] = ()
    owned_by_content: Mapping[str, bool] = {}
    parts: Mapping[str, Mapping[str, FileStat]] = {}
    creds_copies: tuple[str, ...] = ()
    creds_refused: bool = False
    server: ServerPreKeys | None = None
    has_own: bool = True

    def of(self, kind: Kind) -> Sequence[str]:
        """The names of one kind."""
        return self.names.get(kind, ())

    @property
    def file_count(self) -> int:
        """All keys and other files of the folder, but for kinds that do not count."""
        return sum([len(names) for kind, names in self.names.items() if kind not in UNCOUNTED])

    def files_of(self, keys: Iterable[str]) -> dict[str, FileStat]:
        """Given keys that a rule may remove, return the files that they consist of, in the order of removal."""
        files: dict[str, FileStat] = {}
        for key in keys:
            files |= self.parts.get(key) or {key: self.stats[key]}
        return files
