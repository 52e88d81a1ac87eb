"""The kernel's own lock on an open file or folder. It ends with the process that holds it, however that ends.

filelock takes 15 ms to load, which a run that locks nothing need not pay.
"""


def take(fd: int) -> None:
    """Lock an open file or folder for this process alone, as soon as nobody else holds it.

    Raises OSError where there are no such locks.
    """
    from filelock import lock_descriptor

    lock_descriptor(fd)


def take_now(fd: int) -> bool:
    """As `take`, without waiting: return False where somebody else holds it."""
    from filelock import lock_descriptor

    return lock_descriptor(fd, blocking=False)
