"""The kernel's own lock on an open file or folder. It ends with the process that holds it, however that ends."""

import errno
import fcntl

_HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
"""Some network file systems answer EACCES where another holds it."""


def take_now(fd: int) -> bool:
    """Lock an open file or folder for this process alone; return False where somebody else holds it.

    Raises OSError where there are no such locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise
    return True
