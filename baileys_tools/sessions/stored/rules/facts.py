"""What a plan needs to know of a session in a store, without a file of it."""

from collections.abc import Mapping

from baileys_tools.sessions.rules.creds import Creds, CredsState, parse_creds
from baileys_tools.sessions.rules.folder import FileStat, FolderFacts, WholeKey
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, REMOVED_IF_UNUSED, Kind, sort_names
from baileys_tools.sessions.rules.records import CREDS
from baileys_tools.sessions.rules.senderkeys import holds_private_key, untold_sender_keys


def facts_of(
    content: Mapping[str, bytes], times: Mapping[str, int], pre_keys_kept: int = 0, *, unused: bool = True
) -> FolderFacts:
    """Given the files of a session and when each was written (ns), return what `scan_folder` says of their folder."""
    names = {kind: found for kind, found in sort_names([*content])[0].items() if found}
    stats: dict[str, FileStat] = {}
    for kind, found in names.items():
        is_looked_at = kind is Kind.CREDS or (
            kind in REMOVABLE
            and (unused or kind not in REMOVED_IF_UNUSED)
            and (kind is not Kind.PRE_KEY or len(found) > pre_keys_kept)
        )
        if is_looked_at:
            stats |= {name: WholeKey(len(content[name]), times[name]) for name in found}
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
