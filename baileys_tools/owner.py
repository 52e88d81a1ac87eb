"""Root at work in somebody's folder: what it makes there is that somebody's from birth."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress


def user_name(uid: int) -> str:
    """Return what people and `chown` call a user of this host: the name, else the number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_unmapped(uid: int) -> bool:
    """Whether a number stands for all users that this user namespace has none for (`user_namespaces(7)`)."""
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            if int(file.read()) != uid:
                return False
        with open("/proc/self/uid_map", encoding="ascii") as file:
            rows = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return False
    return all(uid not in range(first, first + count) for first, _, count in rows)


def refuse_roots(folder: int, around: int, name: str) -> None:
    """Given the handles of a folder and of the one around it, raise OSError for root's in somebody else's.

    Whoever has a folder can give what lies in it any name, also one of ours, and root would work in a folder of its
    own. This tool makes no such thing: what root makes in a folder belongs to that folder's owner.
    """
    if os.geteuid() == 0 and os.fstat(folder).st_uid == 0 and os.fstat(around).st_uid != 0:
        raise OSError(
            errno.EINVAL,
            "belongs to root, and the folder around it does not: chown it, or move it away",
            name,
        )


@contextmanager
def as_owner_of(folder: int) -> Iterator[None]:
    """Given a folder handle, make what is made inside the `with` belong to the folder's owner.

    Only root can and needs to. A later chown would leave root's file behind when the process dies between.
    """
    owner = os.fstat(folder)
    with acting_as(owner.st_uid, owner.st_gid):
        yield


def acting_as(uid: int, gid: int, others: Sequence[int] = ()) -> AbstractContextManager[None]:
    """Do what is done inside the `with` with the rights of this user, this group and the `others`, and no more.

    Only root can; anybody else, and root as itself, stays who they are. What is imported inside has to be readable for
    that user, so import it before.
    """
    # The state asks for it at every question: most often there is nothing to change.
    return nullcontext() if os.geteuid() != 0 or (uid, gid) == (0, 0) else _acting_as(uid, gid, others)


_UNMAPPED = (
    "its owner is none of the users of this user namespace, so root here may not work there: "
    "run on the host itself, or map that user (/etc/subuid; in a container --userns)"
)


@contextmanager
def _acting_as(uid: int, gid: int, others: Sequence[int]) -> Iterator[None]:
    group, groups = os.getegid(), os.getgroups()
    try:
        if uid != 0:
            # A user namespace may have no right to this; what groups root has there, the namespace gave it.
            with suppress(PermissionError):
                os.setgroups(others or [gid])
        try:
            os.setegid(gid)
            os.seteuid(uid)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise OSError(errno.EINVAL, _UNMAPPED) from None
            raise
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        with suppress(PermissionError):
            os.setgroups(groups)
