"""What a plan needs to know of a session in a store, without a file of it."""

from collections.abc import Mapping, Sequence

from baileys_tools.sessions.rules.creds import Creds, CredsState, parse_creds
from baileys_tools.sessions.rules.folder import FileStat, FolderFacts
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, REMOVED_IF_UNUSED, Kind
from baileys_tools.sessions.rules.records import CREDS
from baileys_tools.sessions.rules.senderkeys import holds_private_key, untold_sender_keys


class _Stat:
    """As `FileStat`. How large a file is, is asked of few, and in some stores its content has to be made for that."""

    __slots__ = ("_content", "_name", "st_ino", "st_mtime_ns")

    def __init__(self, content: Mapping[str, bytes], name: str, written_ns: int) -> None:
        self._content = content
        self._name = name
        self.st_ino = 0
        self.st_mtime_ns = written_ns

    @property
    def st_size(self) -> int:
        return len(self._content[self._name])


def facts_of(
    content: Mapping[str, bytes],
    kinds: Mapping[Kind, Sequence[str]],
    times: Mapping[str, int],
    pre_keys_kept: int = 0,
    *,
    unused: bool = True,
) -> FolderFacts:
    """Given the files of a session, their names by kind and when each was written (ns), return what `scan_folder` says
    of their folder."""
    names = {kind: found for kind, found in kinds.items() if found}
    stats: dict[str, FileStat] = {}
    for kind, found in names.items():
        is_looked_at = kind is Kind.CREDS or (
            kind in REMOVABLE
            and (unused or kind not in REMOVED_IF_UNUSED)
            and (kind is not Kind.PRE_KEY or len(found) > pre_keys_kept)
        )
        if is_looked_at:
            stats |= {name: _Stat(content, name, times[name]) for name in found}
    creds = parse_creds(content[CREDS]) if CREDS in content else CredsState.MISSING
    owned = {}
    if isinstance(creds, Creds):
        untold = untold_sender_keys(names.get(Kind.SENDER_KEY, ()), creds)
        owned = {name: holds_private_key(content[name]) for name in untold}
    return FolderFacts(
        names=names,
        stats=stats,
        creds=creds,
        owned_by_content={name: answer for name, answer in owned.items() if answer is not None},
        has_own=False,
    )
