"""What `restore --all` would do for each company, or has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from baileys_tools.errors import ExitCode


class AllStatus(StrEnum):
    """What became of one company."""

    PLANNED = "planned"
    RESTORED = "restored"
    STANDS = "stands"
    """Its folder is there with files in it: left alone."""
    REFUSED = "refused"
    """A safety check speaks against it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OneOfAll:
    """One company. `path` is where it stands or is made, "" where nothing tells; `trouble` why it was not restored.

    `snapshot` is the number of the newest good one, "" for none; `contacts` how many contacts and group members wait
    for one resend.
    """

    company: str
    status: AllStatus
    path: str = ""
    snapshot: str = ""
    taken_at: datetime | None = None
    files: int = 0
    contacts: int = 0
    trouble: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RestoreAllReport:
    """All companies of the repository."""

    now: datetime
    repository: str
    companies: Sequence[OneOfAll]

    def those(self, *status: AllStatus) -> list[OneOfAll]:
        """Return the companies of these states."""
        return [one for one in self.companies if one.status in status]

    @property
    def exit_code(self) -> ExitCode:
        """0 all done or standing, 10 nothing to restore from, 3 some not, 1 none."""
        if not self.companies:
            return ExitCode.NOT_FOUND
        bad = self.those(AllStatus.FAILED, AllStatus.REFUSED)
        if not bad:
            return ExitCode.DONE
        return ExitCode.FAILED if len(bad) == len(self.companies) else ExitCode.PARTLY_FAILED
