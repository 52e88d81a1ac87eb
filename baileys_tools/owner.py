"""Root at work in somebody's folder: what it makes there is that somebody's from birth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def user_name(uid: int) -> str:
    """Return what people and `chown` call a user of this host: the name, else the number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@contextmanager
def as_owner_of(folder: int) -> Iterator[None]:
    """Given a folder handle, make what is made inside the `with` belong to the folder's owner.

    Only root can and needs to. A later chown would leave root's file behind when the process dies between.
    """
    owner = os.fstat(folder)
    if os.geteuid() != 0 or (owner.st_uid, owner.st_gid) == (0, 0):
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
