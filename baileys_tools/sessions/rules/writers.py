"""Which version of Baileys, or which fork of it, has written a session folder: its files' names tell."""

import re
from collections.abc import Collection
from typing import NamedTuple

from baileys_tools.sessions.rules.keyfiles import Kind, kind_of

# Baileys up to 6.4 and whaileys have the address whole: sender-key-<group>--<user>-<device>--0.json.
_OLD_SENDER_KEY = re.compile(r"sender-key-[^-].*--[0-9]+-[0-9]+--0\.json")
# The next Baileys rotates each key that it rewrites. A .tmp is left by whatever writes beside a file and renames: a
# patched bot of any version, and a write that was killed.
_ROTATED = ".json.bak"


class Writer(NamedTuple):
    """A program, and the kind of file that shows it, without whose it is. `program` is "" where nothing tells."""

    program: str
    because: str = ""


def writer_of(names: Collection[str]) -> Writer:
    """Given the names in a session folder, return what has written them."""
    kinds: set[Kind] = set()
    newer, is_old = "", False
    for name in names:
        kind = kind_of(name)
        kinds.add(kind)
        is_old = is_old or _OLD_SENDER_KEY.fullmatch(name) is not None
        if name.endswith(_ROTATED) and kind_of(name[:-4]) not in (Kind.UNKNOWN, Kind.CREDS):
            newer = newer or name
    if newer:
        return Writer("the next version of Baileys", f"{kind_of(newer[:-4])}-*{_ROTATED}")
    if Kind.BRIDGE in kinds:
        return Writer("a client in Rust with a mirror of Baileys' files", f"{Kind.BRIDGE}-*")
    if Kind.CONTACTS_TC_TOKEN in kinds:
        return Writer("whaileys", f"{Kind.CONTACTS_TC_TOKEN}-*")
    if seven := [kind for kind in kinds if kind.traits.only_in_7]:
        return Writer("Baileys 7", ", ".join(sorted(f"{kind}-*" for kind in seven)))
    if is_old:
        return Writer("whaileys, or Baileys up to 6.4", "sender-key-*--0.json")
    if Kind.SESSION in kinds:
        return Writer("Baileys 6", f"{Kind.SESSION}-*, and no kind that only a 7 writes")
    if Kind.PRE_KEY in kinds or Kind.APP_STATE_SYNC_KEY in kinds:
        return Writer("Baileys 6, or a 7 without a contact yet", f"{Kind.PRE_KEY}-*")
    return Writer("")
