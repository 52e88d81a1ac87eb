"""Which snapshots belong to the session that stands in a folder."""

from baileys_tools.sessions.interrupted import last_reset_of
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.shelves import shelf_of


def snapshots_of_this_session(repository: Repository, root: Root, company: Company) -> list[SnapshotInfo]:
    """Return the good snapshots of the session in a folder, and none of one that was reset since. Raises OSError."""
    good = [info for info in repository.snapshots(shelf_of(repository, company).name) if info.good]
    since = last_reset_of(root, company)
    return [info for info in good if since is None or info.taken_at > since]
