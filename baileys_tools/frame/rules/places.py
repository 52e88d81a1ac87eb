"""Where this tool may write: never into a session folder, nor over what it keeps itself.

Paths come in resolved, so that a link or a bind mount is judged by where it leads; nothing here looks at a disk.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

COMPANY_PREFIX = "company_"

OWN_FOLDER = "Give it a folder of its own, outside the session folders."
OTHER_FILE = "Name a file in a folder of your own."


class Ground(NamedTuple):
    """What is to be kept from harm: the sessions path (`is_session`: a session folder itself), repository and state.

    `elsewhere` are session folders that are mounted below the sessions path, by where they stand; `copies` the folders
    on this host that copies of snapshots go to. `more` are further roots of the sessions path, as the first.
    """

    sessions: str | None
    is_session: bool
    repository: str | None
    state: str
    elsewhere: Sequence[str] = ()
    copies: Sequence[str] = ()
    more: Sequence[tuple[str, bool]] = ()

    @property
    def roots(self) -> list[tuple[str, bool]]:
        """Each root, and whether it is a session folder itself."""
        first = [] if self.sessions is None else [(self.sessions, self.is_session)]
        return [*first, *self.more]


class Target(NamedTuple):
    """What somebody wants written to. `name` is the setting or flag that says so, `path` as it was given.

    `lands` are the resolved paths that a write may touch. `beside_creds`: there is a login in that folder.
    """

    name: str
    path: str
    lands: Sequence[str]
    beside_creds: bool = False


class Misplaced(NamedTuple):
    """A path that must not be written to: which setting names it, why not, and the way out."""

    name: str
    why: str
    way_out: str


def is_inside(path: str, folder: str) -> bool:
    """Whether a resolved path is a resolved folder or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def misplaced_file(target: Target, ground: Ground, own_place: str = "") -> Misplaced | None:
    """Given a file that is to be written, return why it must not be, or None.

    `own_place` is where in the state folder this very file belongs.
    """
    for path in target.lands:
        if path == own_place:
            continue
        if why := _in_session(path, ground, target.beside_creds):
            return Misplaced(target.name, f"{target.path} {why}", OTHER_FILE)
        if ground.repository is not None and is_inside(path, ground.repository):
            return Misplaced(target.name, f"{target.path} is in the backup repository", OTHER_FILE)
        if is_inside(path, ground.state):
            return Misplaced(target.name, f"{target.path} is in the state folder", OTHER_FILE)
        if any(is_inside(path, copies) for copies in ground.copies):
            return Misplaced(target.name, f"{target.path} is among the copies of snapshots", OTHER_FILE)
    return None


def misplaced_folder(
    target: Target, ground: Ground, others: Sequence[Target] = (), *, holds_snapshots: bool = False
) -> Misplaced | None:
    """Given a folder that is to be filled, and the `others` that are, return why it must not be, or None.

    One inside another is fine (a repository in the state folder, both beside the company folders), as long as what
    the one holds is not what the other writes. `holds_snapshots`: it gets a folder `company_<id>` for each company.
    """
    for path in target.lands:
        if why := _in_session(path, ground, target.beside_creds):
            return Misplaced(target.name, f"{target.path} {why}", OWN_FOLDER)
        if any(path == root for root, _ in ground.roots):
            return Misplaced(target.name, f"{target.path} is the sessions path itself", OWN_FOLDER)
        if holds_snapshots:
            for sessions in (*(root for root, _ in ground.roots), *ground.elsewhere):
                if company_folder_of(sessions, path):
                    why = f"is where the sessions path {sessions} has its place as a company's snapshots"
                    return Misplaced(target.name, f"{target.path} {why}", OWN_FOLDER)
        for other in others:
            if any(
                path == one
                or company_folder_of(path, one)
                or (holds_snapshots and company_folder_of(one, path))
                for one in other.lands
            ):
                return Misplaced(target.name, f"{target.path} is taken by {other.name}", OWN_FOLDER)
    return None


def crowded(ground: Ground, folders: Sequence[Target]) -> Iterator[Misplaced]:
    """Yield what stands beside the company folders: this tool tells them apart, but does the bot, or an `rm`?"""
    for target in folders:
        if any(is_inside(path, root) for path in target.lands for root, _ in ground.roots):
            yield Misplaced(
                target.name, f"{target.path} is inside the sessions path", "Give it a place of its own."
            )


def _in_session(path: str, ground: Ground, beside_creds: bool) -> str:
    for root, is_session in ground.roots:
        if is_inside(path, root):
            folder = root if is_session else company_folder_of(path, root)
            if folder:
                return _in_words(path, folder)
    for folder in ground.elsewhere:
        if is_inside(path, folder):
            return _in_words(path, folder)
    return "is in a session folder" if beside_creds else ""


def _in_words(path: str, folder: str) -> str:
    return "is a session folder" if path == folder else f"is in the session folder {folder}"


def company_folder_of(path: str, root: str) -> str:
    """Return which `company_<id>` below a root a path is in, "" for none."""
    if not is_inside(path, root):
        return ""
    base = root.rstrip("/") + "/"
    first = path[len(base) :].partition("/")[0]
    return base + first if first.startswith(COMPANY_PREFIX) else ""
