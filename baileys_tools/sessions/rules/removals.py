"""What became of planned removals, as values that can be shown and recorded."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.units import counted


class Outcome(StrEnum):
    """What became of one planned removal."""

    REMOVED = "removed"
    ALREADY_GONE = "already-gone"
    CHANGED = "changed"
    """Rewritten, replaced or linked since the plan was made: kept."""
    IN_USE = "in-use"
    """The bot has it open, or wanted it while it was being moved: kept."""
    WITH_UNIT = "with-unit"
    """Kept because another file of its unit was."""
    FAILED = "failed"


class Removals:
    """What a cleanup of one folder did, by file name; `errors` has the system's word for each failure.

    `without_undo` counts files unlinked at once because there was no room for a quarantine; `leases` is false
    when some file was removed under the re-check alone. No dataclass: that module is a tenth of a quick start.
    """

    __slots__ = ("bytes_freed", "errors", "leases", "outcomes", "without_undo")

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.errors: dict[str, str] = {}
        self.bytes_freed = 0
        self.without_undo = 0
        self.leases = True

    @property
    def undoable(self) -> int:
        """How many removed files wait in quarantine."""
        return self.count(Outcome.REMOVED) - self.without_undo

    def count(self, outcome: Outcome) -> int:
        """How many files came to this."""
        return sum(found is outcome for found in self.outcomes.values())


class Cleaned(NamedTuple):
    """The last cleanup of a company, how many files it removed, and how many `undo` has put back since."""

    at: datetime
    removed: int
    put_back: int = 0

    @property
    def words(self) -> str:
        """What became of the files, as people are told."""
        back = f", and undo has put {self.put_back:,} back since" if self.put_back else ""
        return f"{counted(self.removed, 'file')} removed{back}"
