"""As whom a bot's process runs, and whether that user may write where its session stands."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from baileys_tools.findings import Finding
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.owners import ProcessUser, cannot_write_finding, may_write

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
        user = user_of(running[company.id]) if company.id in running else None
        if user is not None:
            with suppress(OSError):  # that it cannot be opened is a finding already
                shut = [] if user.may_all else not_writable(root, company, user)
                found[company.id] = cannot_write_finding(company.id, company.path, user, shut)
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
    return ProcessUser(uid, gid, groups | {gid}, may_all)


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
