"""What stands around a session: the room on its disk, and its snapshots."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from baileys_tools.sessions.rules.snapshot import SnapshotInfo
else:
    # The watching pays for every import at every minute.
    SnapshotInfo = object


class Space(NamedTuple):
    """The file system that a folder lies on, as far as its user may fill it. `inodes` is 0 where it has no limit."""

    size: int
    free: int
    inodes: int
    free_inodes: int


class Snapshots(NamedTuple):
    """What the backup repository has of a company.

    `newest` is the newest that is not known to be damaged, `damaged` how many newer ones are. `is_current` says
    that the folder is as it was at the last backup. `failure` says why the last attempt failed. `trouble` says why
    the repository could not be asked. `is_new`: no backup could be expected yet.
    """

    newest: SnapshotInfo | None = None
    stored: int = 0
    damaged: int = 0
    is_current: bool = False
    failure: str = ""
    trouble: str = ""
    is_new: bool = False

    @property
    def newest_at(self) -> datetime | None:
        """When the newest was taken; None where there is none."""
        return self.newest.taken_at if self.newest is not None else None


class OldFolder(NamedTuple):
    """A folder that a rollback has left behind, as something was written into it or the rollback died.

    `run` brings it back by undo, "" where nothing proves whose it is; `beside` is its name beside the session folder,
    "" once it waits for undo in that. `size` is in bytes.
    """

    run: str
    beside: str
    started: datetime
    files: int
    size: int
