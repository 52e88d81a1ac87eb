"""When the last message came in, as the folder tells: a bot can be connected, and write, and hear nothing."""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from heapq import nlargest

from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.senderkeys import Owner, owner_of

READ = 8
"""Sessions that are opened, the newest: one is written when the bot sends, too, and only its `used` tells apart."""
_LARGEST = 1 << 18
_used = re.compile(rb'"used":\s*(\d{10,16})(?!\d)').findall


def last_inbound(
    folder: int,
    creds: Creds | CredsState,
    sessions: Sequence[tuple[int, str]],
    sender_keys: Sequence[tuple[int, str]],
) -> int:
    """Given a folder's handle and files with their mtimes (ns), return when the last message came in, in seconds since
    1970; 0 where nothing tells.

    A peer's sender-key is written by each message of its sender to the group. A session's `indexInfo.used` moves when a
    message was decrypted, and by nothing else (libsignal `session_cipher.js`).
    """
    if not isinstance(creds, Creds):
        return 0
    found = 0
    for mtime, name in sorted(sender_keys, reverse=True):
        if owner_of(name, creds, {}) is Owner.PEER:
            found = mtime // 1_000_000_000
            break
    from baileys_tools.sessions.scan import read_regular_file

    for mtime, name in nlargest(READ, sessions):
        if mtime // 1_000_000_000 <= found:
            break
        with suppress(OSError):
            used = [int(number) // 1_000 for number in _used(read_regular_file(folder, name, _LARGEST))]
            found = max([found, *(moment for moment in used if moment <= mtime // 1_000_000_000 + 1)])
    return min(found, int(time.time()))
