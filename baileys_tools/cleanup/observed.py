"""What the state and the logs say of a bot: when it wrote, when it was seen to be silent, what its server has."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from baileys_tools.config import Settings
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.prekeys import ServerPreKeys
from baileys_tools.sessions.rules.silence import Seen

if TYPE_CHECKING:
    from baileys_tools.cleanup.rules.returners import Departed
    from baileys_tools.cleanup.rules.uses import Uses
    from baileys_tools.state.database import State

BACK_TO = timedelta(days=90)
"""How far back is asked. Before that the state has one observation a day at most."""


class Observed:
    """Asks the state in a folder. Each process has its own connection, as SQLite's must not be shared by a fork."""

    def __init__(
        self,
        settings: Settings,
        now: datetime,
        state: "State | None" = None,
        of: tuple[Root, Sequence[Company]] | None = None,
    ) -> None:
        """`state` is the one that this process has open already, if any, and is about the companies; else `of`."""
        self._of = of
        self._settings = settings
        self._now = now
        self._opened_by = os.getpid()
        self._state = state
        self._is_ours = False

    def close(self) -> None:
        """Close what was opened here, and nothing else."""
        if self._state is not None and self._is_ours and self._opened_by == os.getpid():
            self._state.close()
            self._state = None

    def __call__(self, company: Company) -> Sequence[Seen]:
        """Given a company, return what was seen of its bot, oldest first; nothing where there is no state."""
        state = self._opened()
        if state is None:
            return ()
        from baileys_tools.state.observations import activity_since

        seconds = 1_000_000_000
        found = activity_since(state, company.place, self._now - BACK_TO)
        return [Seen(at * seconds, written * seconds) for at, written in found]

    def removed_before(self, company: Company) -> "dict[str, Departed]":
        """Given a company, return what cleanups have removed there and what of it came back."""
        state = self._opened()
        if state is None:
            return {}
        from baileys_tools.cleanup.returning import removed_from

        return removed_from(state, company.place)

    def server_pre_keys(self, company: Company) -> ServerPreKeys | None:
        """Given a company, return what its logs say of the server's pre-keys; None where they say nothing."""
        if not self._settings.logs.files:
            return None
        from baileys_tools.bots.bot_logs import server_pre_keys

        return server_pre_keys(self._opened(), self._settings, company.id, self._now)

    def uses_before(self, company: Company) -> "Uses":
        """Given a company, return what cleanups have seen of the use of its keys."""
        from baileys_tools.cleanup.kept_uses import uses_of
        from baileys_tools.cleanup.rules.uses import Uses

        state = self._opened()
        return Uses() if state is None else uses_of(state, company.place)

    def _opened(self) -> "State | None":
        if self._state is not None and self._opened_by == os.getpid():
            return self._state
        from baileys_tools.state.database import FILE, open_state

        if not os.path.exists(os.path.join(self._settings.state.dir, FILE)):
            return None
        self._state, self._opened_by = open_state(self._settings.state.dir, self._now), os.getpid()
        self._is_ours = True
        if self._of is not None:
            from baileys_tools.frame.companies import KeptLooks, look_from

            look_from(self._state, self._of[0].path, self._of[1], KeptLooks())
        return self._state
