"""When the last message came in and went out, as the folder tells: a bot can be connected, write, and hear nothing."""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from heapq import nlargest

from baileys_tools.sessions.rules.creds import Creds, CredsState
from baileys_tools.sessions.rules.senderkeys import Owner, owner_of

READ = 8
"""Sessions that are opened, the newest: one is written when the bot sends, too, and only its `used` tells apart."""
APART_NS = 1_000_000_000
"""A session that was written so long after its `used` was written because the bot sent."""
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


_BY_US = re.compile(rb'"baseKeyType":\s*1\b[^{}]*"created":\s*(\d{10,16})\b').findall


def last_outbound(
    folder: int,
    creds: Creds | CredsState,
    sessions: Sequence[tuple[int, str]],
    sender_keys: Sequence[tuple[int, str]],
) -> int:
    """Given the same, return when the last message went out, in seconds since 1970; 0 where nothing tells. It may have
    been later: an answer within a second of the question leaves no other trace than that.

    The bot's own sender-key is written by each of its messages to the group, and a session by each to its contact,
    where `used` stays (libsignal `session_cipher.js`). Who wrote first is in `baseKeyType`: 1 is the bot
    (`base_key_type.js`), and `created` when.
    """
    if not isinstance(creds, Creds):
        return 0
    own = [mtime for mtime, name in sender_keys if owner_of(name, creds, {}) is Owner.BOT]
    found = max(own, default=0)
    from baileys_tools.sessions.scan import read_regular_file

    for mtime, name in nlargest(READ, sessions):
        if mtime <= found:
            break
        with suppress(OSError):
            content = read_regular_file(folder, name, _LARGEST)
            used = max([int(number) * 1_000_000 for number in _used(content)], default=mtime)
            begun = [int(number) * 1_000_000 for number in _BY_US(content)]
            sent = (
                mtime if mtime - used > APART_NS else max((one for one in begun if one <= mtime), default=0)
            )
            found = max(found, sent)
    return min(found // 1_000_000_000, int(time.time()))
