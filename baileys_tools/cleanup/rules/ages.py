"""Which files of a folder are too old, by the life of its bot."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from baileys_tools.cleanup.rules.plan import Known, Reason
from baileys_tools.limits import Gentle, Limits
from baileys_tools.sessions.rules.clock import clock_is_implausible, in_nanoseconds, nanoseconds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, parse_sender_key
from baileys_tools.sessions.rules.senderkeys import is_memory
from baileys_tools.sessions.rules.silence import Silence, lived_ago, rewritten, silences

KEY_WAITS = timedelta(minutes=10)
"""How long after a cleanup no own sender-key goes. A send reads the memory, asks the server for devices and bundles,
and then reads the key (`Socket/messages-send.js`: `relayMessage`); Baileys gives each question 60 seconds."""

LONGEST_FOR_RETURNERS = timedelta(days=60)


class AgeRule:
    """Finds what is too old in one folder at one moment, and notes why old files stay."""

    def __init__(
        self, folder: FolderFacts, now: datetime, known: Known, limits: Limits, gentle: Gentle
    ) -> None:
        self._folder = folder
        self._past = known
        self._now_ns = nanoseconds(now)
        self._limits = limits
        self._gentle = gentle
        self._cleaned_just_now = known.cleaned is not None and abs(now - known.cleaned) < KEY_WAITS
        self._silences: tuple[Silence, ...] | None = None
        self._groups: dict[str, int] | None = None
        self._rewritten = rewritten(folder)
        self.held = clock_is_implausible(self._rewritten, self._now_ns)
        self.exceptions: dict[str, Reason] = {}
        self.following: dict[str, tuple[str, ...]] = {}
        """By memory that goes: the own keys that go in a later run."""

    @property
    def silences(self) -> tuple[Silence, ...]:
        """When the bot was off, as far as it was asked: most folders hold nothing that is old at all."""
        return self._silences or ()

    def old(self, names: Sequence[str], limit: timedelta) -> list[str]:
        """Return the files last used longer ago than `limit`; none while the clock is in doubt."""
        # A file from the future is newer than any limit: the safe side.
        oldest_ns = self._now_ns - in_nanoseconds(limit)
        stats = self._folder.stats
        old = [name for name in names if stats[name].st_mtime_ns < oldest_ns]
        if self.held:
            self.exceptions |= dict.fromkeys(old, Reason.HELD)
            return []
        if old and self._silences is None:
            self._silences = silences(self._rewritten, self._past.seen, self._now_ns)
        if old and self._silences:
            old = [name for name in old if self._is_older(name, limit)]
        if old and self._gentle.returners and self._past.came_back:
            old = self._without(
                old, [name for name in old if self._stays_longer(name, limit)], Reason.CAME_BACK
            )
        return old

    def old_peers(self, names: Sequence[str]) -> list[str]:
        """Return what goes of the sender-keys of others."""
        old = self.old(names, self._limits.sender_key_max_age)
        if old and self._gentle.active_group is not None:
            active = [name for name in old if self._is_in_use(name, parse_sender_key(name).group)]
            old = self._without(old, active, Reason.ACTIVE_GROUP)
        return old

    def old_units(self, units: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return what goes of the units of which every file is too old: the memory alone, and keys without one.

        A bot that is sending has read the memory and will read the key. With the key gone meanwhile it makes a new
        one, and tells nobody whom the memory names; with the memory gone nothing happens.
        """
        old = set(self.old([name for unit in units for name in unit], self._limits.sender_key_max_age))
        whole = [unit for unit in units if old.issuperset(unit)]
        self.exceptions |= dict.fromkeys(old.difference(*whole), Reason.UNIT_YOUNG)
        going = []
        for unit in whole:
            if reason := self._why_kept(unit):
                self.exceptions |= dict.fromkeys(unit, reason)
            elif is_memory(unit[0]):
                going.append(unit[:1])
                self.following[unit[0]] = unit[1:]
                self.exceptions |= dict.fromkeys(unit[1:], Reason.MEMORY_FIRST)
            else:
                going.append(unit)
        return going

    def _why_kept(self, unit: tuple[str, ...]) -> Reason | None:
        """Return why a unit stays of which every file is too old, if it does."""
        group = group_of(unit[0])
        if self._gentle.keep_own_keys and self._lives(unit, group):
            return Reason.GROUP_LIVES
        if self._gentle.active_group is not None and any(self._is_in_use(name, group) for name in unit):
            return Reason.ACTIVE_GROUP
        if self._cleaned_just_now and not is_memory(unit[0]):
            return Reason.CLEANED_JUST_NOW
        return None

    def _lives(self, unit: tuple[str, ...], group: str) -> bool:
        """Whether somebody wrote to a group as lately as keys of others are kept, or the bot as sessions are."""
        wrote = any(not self._is_older(name, self._limits.session_max_age) for name in unit)
        return wrote or self._wrote_within(group, self._limits.sender_key_max_age)

    def _without(self, names: Sequence[str], kept: Sequence[str], reason: Reason) -> list[str]:
        self.exceptions |= dict.fromkeys(kept, reason)
        staying = set(kept)
        return [name for name in names if name not in staying]

    def _is_older(self, name: str, limit: timedelta) -> bool:
        written_ns = self._folder.stats[name].st_mtime_ns
        return written_ns < lived_ago(self.silences, in_nanoseconds(limit), self._now_ns)

    def _stays_longer(self, name: str, limit: timedelta) -> bool:
        times = min(self._past.came_back.get(name, 0), 10)
        longer = max(limit, min(limit * 2**times, LONGEST_FOR_RETURNERS))
        return bool(times) and not self._is_older(name, longer)

    def _is_in_use(self, name: str, group: str) -> bool:
        """Whether a key is young enough for a group in which somebody wrote lately, and that is one."""
        longer = self._gentle.active_group
        lately = self._wrote_within(group, self._limits.sender_key_max_age)
        return longer is not None and lately and not self._is_older(name, longer)

    def _wrote_within(self, group: str, length: timedelta) -> bool:
        """Whether anybody, the bot included, wrote to a group within a time of the bot's life."""
        if self._groups is None:
            self._groups = {}
            for kind in (Kind.SENDER_KEY, Kind.SENDER_KEY_MEMORY):
                for name in self._folder.of(kind):
                    written_ns = self._folder.stats[name].st_mtime_ns
                    self._groups[group_of(name)] = max(self._groups.get(group_of(name), 0), written_ns)
        return self._groups[group] >= lived_ago(self.silences, in_nanoseconds(length), self._now_ns)


def group_of(name: str) -> str:
    """Given a sender-key or a memory, return the group that it is for."""
    return key_id_of(name, Kind.SENDER_KEY_MEMORY) if is_memory(name) else parse_sender_key(name).group
