"""Works on many companies, side by side where that pays, and lets none of them stop the others.

Most of a large run is the kernel's work on single files, which a second CPU can share. frame/workers.py has how;
the passes of every minute over a few companies load nothing of it.
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from baileys_tools.errors import BaileysToolsError
from baileys_tools.sessions.faults import say_why

Item = TypeVar("Item")
Result = TypeVar("Result")

WORTH_A_FLEET = 64
"""Items from which on several workers pay; starting them takes a few milliseconds."""

MOST_WORKERS = 4
"""The bots need the machine too."""


def for_each(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    failed: Callable[[Item, str], Result],
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    workers: int | None = None,
) -> list[Result]:
    """Given items, return `work(item)` for each of them, in order; many items are shared among processes.

    `failed(item, why)` stands in for the result of an item whose work raised (whatever but an interrupt), or whose
    worker died. No worker outlives this process. `progress` is told how many of how many are done. `workers` None asks
    the machine. Results have to be picklable.
    """
    if workers is None:
        workers = _usable_cpus() if len(items) >= WORTH_A_FLEET else 1
    found: dict[int, Result] = {}
    progress(0, len(items))

    def by_index(index: int) -> Result:
        return by_itself(items[index], work, failed)

    left: Sequence[int] = range(len(items))
    while workers > 1 and left:
        from baileys_tools.frame.workers import Workers

        with Workers(left, by_index, workers, lambda index, why: failed(items[index], why)) as fleet:
            for index, result in fleet.results():
                found[index] = result
                progress(len(found), len(items))
        for index, why in fleet.lost.items():
            if index in found:
                continue  # it died right after
            found[index] = failed(items[index], f"the process that worked on it {why}")
            progress(len(found), len(items))
        if not fleet.lost:
            break
        # Those that the dead had not begun with: not here, where the next of their kind would end all.
        left = [index for index in left if index not in found]
    for index in left:
        # All of them when there are no workers; also what a worker was told to let go of.
        if index not in found:
            found[index] = by_index(index)
            progress(len(found), len(items))
    return [found[index] for index in range(len(items))]


def by_itself(item: Item, work: Callable[[Item], Result], failed: Callable[[Item, str], Result]) -> Result:
    """Return `work(item)`, or `failed(item, why)` when it raises: one company's trouble stops no other.

    The one place that catches what nobody foresaw, as whoever owns a folder may think of more than we did. Only an
    interrupt goes on. A bug leaves its traceback as any other does (frame/show/crash.py).
    """
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001 - see above
        why = what_happened(error)
    # Here, where the memory that the work had taken is free again.
    return failed(item, why)


def what_happened(error: Exception) -> str:
    """Given what the work on one company raised, return it in words, with the way out where one is known."""
    if isinstance(error, OSError):
        return say_why(error)
    if isinstance(error, BaileysToolsError):
        return f"{error.message}. {error.hint}" if error.hint else error.message
    if isinstance(error, MemoryError):
        return "it takes more memory than this process may have: look for a huge file in its folder"
    from baileys_tools.frame.show.crash import what_crashed

    return what_crashed(error)


def _usable_cpus() -> int:
    # Where the system does not say, one is enough.
    return min(MOST_WORKERS, len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else 1
