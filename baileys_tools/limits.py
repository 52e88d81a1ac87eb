"""The limits of a cleanup, as the settings hold them and the rules apply them."""

from datetime import timedelta
from typing import NamedTuple

from baileys_tools.thresholds import Thresholds

UNUSED_FOR = timedelta(hours=1)
"""How old what nothing uses has to be in an emergency: what is younger may be about to get its session."""


class Limits(NamedTuple):
    """What is too old, and how many pre-keys are enough.

    `device_lists` and `identity_keys` are the ages of those that no session uses any more; None keeps them.
    """

    session_max_age: timedelta
    sender_key_max_age: timedelta
    pre_keys_keep: int
    device_lists: timedelta | None = None
    identity_keys: timedelta | None = None

    def with_unused(self) -> "Limits":
        """Return the same limits, by which also goes what no session uses any more."""
        return self._replace(
            device_lists=min(self.device_lists or UNUSED_FOR, UNUSED_FOR),
            identity_keys=min(self.identity_keys or UNUSED_FOR, UNUSED_FOR),
        )


EMERGENCY_FLOOR = Limits(timedelta(days=7), timedelta(days=1), 30)
"""The strictest limits there are for what a session uses; no setting goes below them."""


class Gentle(NamedTuple):
    """Rules that leave more than the limits do, at the cost of more files. Each can only ever keep.

    `until`: nothing goes while this many files or fewer stand that could; beyond, what was used least lately goes, down
    to 10 below.
    `active_group` is the limit of the keys of a group in which anybody wrote within the usual one.
    `keep_own_keys`: the bot's own key and memory of a group stay while somebody wrote there within the limit of
    sender-keys, or the bot within that of sessions. `returners`: what was removed and came back has twice the limit,
    each time again.
    """

    until: int | None = None
    active_group: timedelta | None = None
    keep_own_keys: bool = False
    returners: bool = False


class Policy(NamedTuple):
    """The rules of a cleanup. `emergency` applies while `thresholds.danger` or more counted files remain.

    A folder in which nothing was written for longer than `silence` is held; with 0, none is.
    """

    normal: Limits = Limits(timedelta(days=14), timedelta(days=3), 50)
    emergency: Limits = EMERGENCY_FLOOR
    pre_key_guard: bool = True
    thresholds: Thresholds = Thresholds()
    silence: timedelta = timedelta(days=3)
    gentle: Gentle = Gentle()
