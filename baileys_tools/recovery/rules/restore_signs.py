"""What a folder shows before it is restored: messages since the snapshot, whose session it is, whether the bot runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.keyfiles import MOVED_BY_MESSAGES, Kind, kind_of, pre_key_ids
from baileys_tools.sessions.rules.restore_plan import (
    QUIET_FOR,
    LiveFolder,
    Mode,
    Objection,
    RestoreRefusal,
    SnapshotFiles,
    Traffic,
)
from baileys_tools.sessions.rules.snapshot import Account
from baileys_tools.units import counted, printable

# --- traffic ------------------------------------------------------------------------------------------------


def traffic_since(live: LiveFolder, snapshot: SnapshotFiles) -> tuple[Traffic, str]:
    """Return whether there were messages since the snapshot, and by what the folder shows it.

    Sessions, sender-keys and memories are written with each message. A newer or a different one is a sign; so
    are pre-keys beyond the snapshot's counter. That nothing shows any tells little: a message to one contact is
    written into that contact's session alone, and that may be the very file that is lost.
    """
    taken_ns = _nanoseconds(snapshot.taken_at)
    for name, file in sorted(live.files.items()):
        kind = kind_of(name)
        if kind not in MOVED_BY_MESSAGES:
            continue
        entry = snapshot.entries.get(name)
        since = entry.mtime_ns if entry is not None else taken_ns
        changed = entry is not None and file.whole and file.sha256 != entry.sha256
        if file.stat.st_mtime_ns > since or changed:
            return Traffic.SINCE, name
    if sign := _counters_moved(live, snapshot):
        return Traffic.SINCE, sign
    return (Traffic.NONE if _was_off(live, snapshot) else Traffic.UNTOLD), ""


def _was_off(live: LiveFolder, snapshot: SnapshotFiles) -> bool:
    """Whether the bot has been off since before the snapshot, and nothing speaks against that.

    That it is off now proves nothing, nor does a folder in which all that is left stands as it stood: what was written
    since may be what is lost, or what an earlier repair has set aside.
    """
    if live.off_since is None or live.off_since > snapshot.taken_at or live.was_repaired:
        return False
    taken_ns = _nanoseconds(snapshot.taken_at)
    return all(file.stat.st_mtime_ns <= taken_ns for file in live.files.values())


def _counters_moved(live: LiveFolder, snapshot: SnapshotFiles) -> str:
    then = snapshot.creds.next_pre_key_id
    if then is None:
        return ""
    if is_same_account(live, snapshot) and isinstance(live.creds, Creds):
        after = live.creds.next_pre_key_id
        if after is not None and after > then:
            return f"nextPreKeyId of creds.json went from {then} to {after}"
    highest = max(pre_key_ids_among(live.files), default=0)
    return f"pre-key-{highest}.json" if highest >= then else ""


# --- whose folder, and does the bot run ---------------------------------------------------------------------

FOREIGN = {Objection.OTHER_ACCOUNT, Objection.PAIRED_ANEW}
"""Objections to a folder that belongs to another pairing."""


def is_same_account(live: LiveFolder, snapshot: SnapshotFiles) -> bool:
    """Whether `creds.json` on disk is of the very pairing that the snapshot has."""
    return isinstance(live.account, Account) and live.account.identity == snapshot.account.identity


def refusals_of(
    live: LiveFolder, snapshot: SnapshotFiles, mode: Mode, now: datetime
) -> Iterator[RestoreRefusal]:
    """Return why a restore at `now` is refused, as far as folder and snapshot tell."""
    yield from _signs_of_life(live, now)
    known = live.account if isinstance(live.account, Account) else snapshot.newest_account
    # Two identities never share a folder; only a whole folder can be replaced.
    forceable = mode is Mode.ROLLBACK
    if known is not None and known.fingerprint != snapshot.account.fingerprint:
        yield RestoreRefusal(
            Objection.OTHER_ACCOUNT,
            f"the snapshot is of another account ({printable(snapshot.account.masked)}), not of {known.masked}",
            forceable,
        )
    elif known is not None and known.identity != snapshot.account.identity:
        yield RestoreRefusal(
            Objection.PAIRED_ANEW,
            f"the account ({known.masked}) was paired anew since the snapshot ({printable(snapshot.account.masked)}), "
            "and WhatsApp no longer accepts the older pairing",
            forceable,
        )
    if mode is Mode.ROLLBACK and live.oddities:
        names = ", ".join(oddity.name for oddity in live.oddities[:3])
        yield RestoreRefusal(
            Objection.ODDITIES,
            f"{len(live.oddities)} entries of the folder are not plain files and cannot come along ({names})",
            False,
        )


def _signs_of_life(live: LiveFolder, now: datetime) -> Iterator[RestoreRefusal]:
    for sign in live.bot_signs:
        yield RestoreRefusal(
            Objection.BOT_LIVES, f"the bot runs: {sign}; it would write over what comes back", True
        )
    limit = _nanoseconds(now - QUIET_FOR)
    written = {name: file.stat.st_mtime_ns for name, file in live.files.items()}
    lately = [name for name, mtime_ns in written.items() if mtime_ns > limit]
    if lately:
        newest = max(lately, key=lambda name: (written[name], name))
        seconds = (_nanoseconds(now) - written[newest]) // 1_000_000_000
        were = "was" if len(lately) == 1 else "were"
        when = f"{seconds} s ago" if seconds >= 0 else "with a date in the future"
        yield RestoreRefusal(
            Objection.BOT_LIVES,
            f"{counted(len(lately), 'file')} {were} written in the last 2 minutes ({newest} {when}): "
            "the bot seems to run, and would write over what comes back",
            True,
        )


def pre_key_ids_among(names: Iterable[str]) -> list[int]:
    return pre_key_ids(name for name in names if kind_of(name) is Kind.PRE_KEY)


def _nanoseconds(moment: datetime) -> int:
    length = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (length.days * 86_400 + length.seconds) * 1_000_000_000 + length.microseconds * 1_000
