"""What `doctor --fix` mends on a host: modes and owners of session folders, our own folders, leftovers, jobs. Pure.

Content is never touched, and no key is removed. Of a file of root's in another's folder only the ownership of what its
new owner can read already is given away: whoever has a folder can move a secret of root's into it, under any name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from stat import S_IMODE, S_IRGRP, S_IROTH, S_ISREG, S_IWOTH
from typing import NamedTuple

from baileys_tools.pasted import command

OTHERS = 0o007
_RUNS = 0o6111
"""Bits of what can be executed, or with somebody's rights: no key file has one."""


class MendKind(StrEnum):
    """What is mended."""

    MODE = "mode"
    OWNER = "owner"
    FOLDER = "folder"
    LEFTOVER = "leftover"
    JOBS = "jobs"


class MendOutcome(StrEnum):
    """How a step ended."""

    PLANNED = "planned"
    DONE = "done"
    FAILED = "failed"


class EntryStat(NamedTuple):
    """What tells of an entry whether it may be changed, as it was at the look. `st_` as in `os.stat_result`."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_nlink: int
    st_dev: int
    st_ino: int


class Mend(NamedTuple):
    """One step. `company` and `name` say where in a session folder ("" the folder itself); else `path` alone.

    `mode` or `owner` is what it becomes, `back` the command that takes it back, "" where nothing has to be.
    """

    kind: MendKind
    path: str
    what: str
    back: str = ""
    company: str = ""
    name: str = ""
    seen: EntryStat | None = None
    mode: int = 0
    owner: tuple[int, int] = (-1, -1)

    @property
    def folder(self) -> str:
        return self.path.removesuffix(f"/{self.name}") if self.name else self.path


class Unmended(NamedTuple):
    """What is not mended, why, and what to paste."""

    path: str
    why: str
    action: str


class MendPlan(NamedTuple):
    """The steps, and what is left to a person."""

    mends: Sequence[Mend]
    left: Sequence[Unmended] = ()


class Mended(NamedTuple):
    """A step and how it ended; `why` says why it failed."""

    mend: Mend
    outcome: MendOutcome
    why: str = ""


def mode_mend(path: str, seen: EntryStat, unwanted: int, company: str = "", name: str = "") -> Mend | None:
    """Given what stands at `path` and the bits that it should not have, return the step, None where it has none."""
    mode = S_IMODE(seen.st_mode)
    if not mode & unwanted:
        return None
    wanted = mode & ~unwanted
    back = command("chmod {} {}", f"{mode:o}", path)
    return Mend(MendKind.MODE, path, f"mode {mode:o} to {wanted:o}", back, company, name, seen, wanted)


def folder_mends(
    company: str, path: str, folder: EntryStat, keys: Mapping[str, EntryStat], *, is_root: bool
) -> Iterator[Mend | Unmended]:
    """Given a session folder and its key files, yield what is to be mended there, and what is left.

    The folder is closed to all others where everything in it is its owner's: then nobody who writes there is shut out.
    """
    is_its_owners = all(one.st_uid in (folder.st_uid, 0) for one in keys.values())
    if is_its_owners and (mend := mode_mend(path, folder, OTHERS, company)) is not None:
        yield mend
    for name, one in sorted(keys.items()):
        place = f"{path}/{name}"
        if not S_ISREG(one.st_mode) or one.st_nlink != 1 or one.st_dev != folder.st_dev:
            continue
        if (
            one.st_uid == folder.st_uid
            and (mend := mode_mend(place, one, S_IWOTH, company, name)) is not None
        ):
            yield mend
        if one.st_uid == 0 != folder.st_uid:
            yield _owner_step(company, name, place, one, folder, is_root=is_root)


def _owner_step(
    company: str, name: str, path: str, one: EntryStat, folder: EntryStat, *, is_root: bool
) -> Mend | Unmended:
    owner = f"{folder.st_uid}:{folder.st_gid}"
    if is_root and may_be_given(one, folder):
        return Mend(
            MendKind.OWNER,
            path,
            f"root's to {owner}, as the folder is",
            command("chown {} {}", f"{one.st_uid}:{one.st_gid}", path),
            company,
            name,
            one,
            owner=(folder.st_uid, folder.st_gid),
        )
    why = "root's, in the folder of another; only root can give it away"
    if is_root:
        why = "root's, and its new owner could not read it until now: look at what it is first"
    return Unmended(path, why, command("chown -h {} {}", owner, path))


def may_be_given(one: EntryStat, folder: EntryStat) -> bool:
    """Whether a file of root's may become the folder owner's: a plain one, of one name, that they can read already."""
    is_read = bool(one.st_mode & S_IROTH) or (one.st_gid == folder.st_gid and bool(one.st_mode & S_IRGRP))
    is_plain = S_ISREG(one.st_mode) and one.st_nlink == 1 and one.st_dev == folder.st_dev
    return one.st_uid == 0 and is_plain and is_read and not one.st_mode & _RUNS


def among_others(folders: Mapping[str, tuple[int, int]]) -> tuple[list[str], tuple[int, int]] | None:
    """Given owner and group of session folders by path, return root's among those of another, and whose the others are.

    None where root has no folder, or half of them or more: then root is the bots' user.
    """
    owners = Counter(folders.values())
    ((owner, number),) = owners.most_common(1) or [((0, 0), 0)]
    roots = sorted(path for path, (uid, _) in folders.items() if uid == 0)
    if not roots or owner[0] == 0 or number <= len(roots):
        return None
    return roots, owner


def folders_left(folders: Mapping[str, tuple[int, int]]) -> Iterator[Unmended]:
    """Given the same, yield what a person has to do about root's folders: whole folders are not given away by guess."""
    if (found := among_others(folders)) is None:
        return
    roots, (uid, gid) = found
    for path in roots:
        yield Unmended(
            path,
            f"root's, among folders of {uid}: its bot may not write it",
            command("chown -R {} {}", f"{uid}:{gid}", path),
        )
