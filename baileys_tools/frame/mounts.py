"""The mount table, by which a bind mount is resolved as a link is: two paths to one folder become the same path.

Devices and inodes alone do not tell it: the folders above a bind mount are others than those above what it shows.
"""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

_TABLE = "/proc/self/mountinfo"


class Mount(NamedTuple):
    """A line of proc_pid_mountinfo(5): folder `root` of the file system on `device`, of a `kind` (`ext4`), stands at
    `point`."""

    device: str
    root: str
    point: str
    kind: str = ""


def read_mounts() -> list[Mount]:
    """Return the mounts that this process sees, in the order of the table; none where there is no table."""
    try:
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
            return [_mount(line) for line in table]
    except (OSError, ValueError):
        return []


def _mount(line: str) -> Mount:
    device, root, point = map(_unescaped, line.split(" ", 5)[2:5])
    return Mount(device, root, point, line.partition(" - ")[2].partition(" ")[0])


def file_system_of(path: str) -> str:
    """Given a path, return the kind of the file system that it stands on, "" where nothing tells."""
    mount = _mount_of(os.path.realpath(path), read_mounts())
    return "" if mount is None else mount.kind


def _unescaped(field: str) -> str:
    if "\\" not in field:
        return field
    raw = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), os.fsencode(field))
    return os.fsdecode(raw)


def without_binds(path: str, mounts: Sequence[Mount]) -> str:
    """Given a resolved path, return the one that leads there by the widest mount of its file system.

    That is the path itself unless part of a file system is mounted a second time, as `mount --bind` does.
    """
    mount = _mount_of(path, mounts)
    if mount is None:
        return path
    inside = _joined(mount.root, path, mount.point)
    same = [one for one in mounts if one.device == mount.device and _is_inside(inside, one.root)]
    for one in sorted(same, key=lambda one: len(one.root)):
        found = _joined(one.point, inside, one.root)
        # A mount over it would hide it.
        if _mount_of(found, mounts) == one:
            return found
    return path


def _mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    found = None
    for mount in mounts:
        if _is_inside(path, mount.point) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _joined(base: str, path: str, folder: str) -> str:
    """Return `path` with `base` in the place of `folder`."""
    rest = path[len(folder.rstrip("/")) :]
    return (base.rstrip("/") + rest) or "/"
