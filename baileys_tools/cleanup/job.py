"""What one run of a cleanup is to do."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Self

from baileys_tools.cleanup.observed import Observed
from baileys_tools.cleanup.rules.uses import Uses
from baileys_tools.config import Settings
from baileys_tools.layouts import roots_of
from baileys_tools.limits import Policy
from baileys_tools.sessions.roots import Company
from baileys_tools.sessions.rules.prekeys import ServerPreKeys
from baileys_tools.sessions.rules.silence import Seen

if TYPE_CHECKING:
    from baileys_tools.cleanup.rules.returners import Departed


_NICENESS = 10


class Verdicts(Enum):
    """Which files' verdicts a report holds: memory that a large run need not spend."""

    NONE = "none"
    REMOVED = "removed"
    ALL = "all"


Snapshot = Callable[[int, Company], str]


class CleanupJob(NamedTuple):
    """What one run is to do. `run` names its quarantine; None removes for good.

    `snapshot` is called before the first removal in a folder and returns what went wrong, or "". `observed` tells what
    observations say of a company's bot; it is asked only where the age of a file decides something. `removed_before`
    tells what earlier cleanups removed from its folder, where the policy looks for what comes back. `server_pre_keys`
    tells what its log says of the server's; it is asked where there are more than stay in any case.
    `uses_before` tells what earlier cleanups saw of its keys: what a cleanup goes on from, and `cleanup.until` goes by.
    """

    policy: Policy
    now: datetime
    run: str | None
    undo_window: timedelta
    verdicts: Verdicts
    snapshot: Snapshot | None = None
    resets_kept_for: timedelta = timedelta(days=30)
    observed: Callable[[Company], Sequence[Seen]] = lambda company: ()
    removed_before: Callable[[Company], Mapping[str, "Departed"]] = lambda company: {}
    server_pre_keys: Callable[[Company], ServerPreKeys | None] = lambda company: None
    uses_before: Callable[[Company], Uses] = lambda company: Uses()

    def for_company(self, settings: Settings, company: str) -> Self:
        """Return the job with what the settings say of one company."""
        own = settings.for_company(company)
        return self._replace(
            # Made once for all that have no settings of their own.
            policy=self.policy if own is settings else own.policy,
            run=self.run if own.cleanup.undo_window else None,
            undo_window=own.cleanup.undo_window,
            snapshot=self.snapshot if own.cleanup.snapshot_first else None,
        )


def job_of_looking(settings: Settings, now: datetime, observed: Observed) -> CleanupJob:
    """Return the job of whoever only wants to know what a cleanup would do."""
    job = CleanupJob(settings.policy, now, None, settings.cleanup.undo_window, Verdicts.NONE)
    return job._replace(
        observed=observed,
        removed_before=observed.removed_before,
        server_pre_keys=observed.server_pre_keys,
        uses_before=observed.uses_before,
    )


def step_aside(root_path: str) -> None:
    """Have this process give way where it cleans a store: the server that a bot waits for may run on this host.

    Before a store is opened, as to load what speaks to it is half of what a cleanup costs.
    """
    if any(one.store is not None for one in roots_of(root_path)):
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
