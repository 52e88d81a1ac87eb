"""The kernel's own lock on an open file or folder. It ends with the process that holds it, however that ends."""


def take_now(fd: int) -> bool:
    """Lock an open file or folder for this process alone; return False where somebody else holds it.

    Raises OSError where there are no such locks.
    """
    # 15 ms to load, which a run that locks nothing need not pay.
    from filelock import lock_descriptor

    return lock_descriptor(fd, blocking=False)
