"""As whom a bot's process runs, and whether that user may write where its session stands."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from fcntl import ioctl
from itertools import islice

from baileys_tools.findings import Finding
from baileys_tools.pasted import command
from baileys_tools.sessions.names import READ_FLAGS
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.owners import ProcessUser, Unwritable, cannot_write_finding, may_write

SAMPLE = 20
"""Entries of a folder that are asked whether the bot may write them: what a script left as root seldom stands alone."""
_MAY_ALL = 1 << 1
"""CAP_DAC_OVERRIDE of capabilities(7)."""


def what_bots_cannot_write(
    root: Root, companies: Iterable[Company], running: Mapping[str, int]
) -> dict[str, Finding | None]:
    """Given the ids of the bots' processes by company, compare with the user of each: root, who looks here, may write
    everything. Return what was found of each company that could be compared, None where all is well.
    """
    found = {}
    for company in companies:
        if root.bases[company.base].stored is not None:
            continue  # its working copy is this tool's own, and no bot writes there
        user = user_of(running[company.id]) if company.id in running else None
        if user is not None:
            with suppress(OSError):  # that it cannot be opened is a finding already
                shut = [] if user.may_all and user.uids is None else not_writable(root, company, user)
                held = what_is_held(root, company, running[company.id])
                found[company.id] = cannot_write_finding(company.id, company.path, user, shut, held)
    return found


def user_of(pid: int) -> ProcessUser | None:
    """Return the user of a process as this host sees it; None where it cannot be seen."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in islice(file, 80) if ":" in line)
        uid, gid = (int(fields[name].split()[3]) for name in ("Uid", "Gid"))
        groups = frozenset(map(int, fields.get("Groups", "").split()))
        may_all = uid == 0 or bool(int(fields.get("CapEff", "0"), 16) & _MAY_ALL)
    except (OSError, ValueError, KeyError, IndexError):
        return None
    user = ProcessUser(uid, gid, groups | {gid}, may_all)
    return user if _shares_users(pid) else user._replace(uids=_mapped(pid, "uid"), gids=_mapped(pid, "gid"))


def _shares_users(pid: int) -> bool:
    """Whether a process lives in this one's user namespace; so taken where nothing tells."""
    try:
        return os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user")
    except OSError:
        return True


def _mapped(pid: int, what: str) -> tuple[range, ...] | None:
    """Return the ids of this host that are mapped in the user namespace of a process."""
    try:
        with open(f"/proc/{pid}/{what}_map", encoding="ascii") as file:
            rows = [tuple(map(int, line.split())) for line in islice(file, 400)]
    except (OSError, ValueError):
        return None
    return tuple(range(first, first + count) for _, first, count in rows)


def what_is_held(root: Root, company: Company, pid: int) -> list[Unwritable]:
    """Return what of a company's folder nobody may write as the bot's process sees it: a file system that is mounted
    read-only there, `creds.json` or the folder itself with the immutable attribute. Raises OSError."""
    found = []
    with root.open(company) as folder:
        with suppress(OSError):
            # Through the root of the process: a container has mounts of its own. Elsewhere this is another folder.
            there = f"/proc/{pid}/root{company.place}"
            is_same = os.path.samestat(os.stat(there), os.fstat(folder))
            if is_same and os.statvfs(there).f_flag & os.ST_RDONLY:
                found.append(Unwritable("a read-only file system", _REMOUNT))
        for name, what in ((".", "the folder"), ("creds.json", "creds.json")):
            with suppress(OSError):
                if _is_immutable(folder, name):
                    path = company.path if name == "." else os.path.join(company.path, name)
                    action = f"Take the attribute away: {command('chattr -ia {}', path)}"
                    found.append(Unwritable(f"{what} (immutable)", action))
    return found


_REMOUNT = (
    "Mount it for writing, in a container without :ro. Where nobody wanted that, dmesg tells what failed."
)


def _is_immutable(folder: int, name: str) -> bool:
    fd = os.open(name, READ_FLAGS, dir_fd=folder)
    try:
        flags = ioctl(fd, _GET_FLAGS, bytes(8))
    finally:
        os.close(fd)
    return bool(int.from_bytes(flags[:4], sys.byteorder) & _IMMUTABLE_OR_APPEND)


_GET_FLAGS = 0x80086601
_IMMUTABLE_OR_APPEND = 0x10 | 0x20
"""FS_IOC_GETFLAGS, FS_IMMUTABLE_FL and FS_APPEND_FL of ioctl_iflags(2)."""


def not_writable(root: Root, company: Company, user: ProcessUser) -> list[tuple[str, os.stat_result]]:
    """Return what of a company's folder this user may not write: "" is the folder itself. A sample of its files, and
    `creds.json` always. What has an access list of its own is left out: only the kernel could tell. Raises OSError.
    """
    with root.open(company) as folder:
        found = []
        seen = os.fstat(folder)
        if not may_write(seen, user, is_folder=True) and not _has_acl(folder):
            found.append(("", seen))
        for name in dict.fromkeys(("creds.json", *_some_names(folder))):
            with suppress(OSError):
                one = os.stat(name, dir_fd=folder)
                if not may_write(one, user) and not _has_acl_at(folder, name):
                    found.append((name, one))
        return found


def _some_names(folder: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        plain = (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        yield from islice((name for name in plain if not name.startswith(".")), SAMPLE)


def _has_acl_at(folder: int, name: str) -> bool:
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        return _has_acl(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _has_acl(place: int | str) -> bool:
    try:
        return bool(os.getxattr(place, "system.posix_acl_access"))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)
