"""Works on many companies side by side, where that pays.

Most of a large run is the kernel's work on single files, which a second CPU can share. commands/workers.py has how;
the passes of every minute over a few companies load nothing of it.
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORTH_A_FLEET = 64
"""Items from which on several workers pay; starting them takes a few milliseconds."""

MOST_WORKERS = 4
"""The bots need the machine too."""


def for_each(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    lost: Callable[[Item, str], Result],
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    workers: int | None = None,
) -> list[Result]:
    """Given items, return `work(item)` for each of them, in order; many items are shared among processes.

    `lost(item, why)` stands in for the result of an item whose worker died. What `work` raises ends all
    workers and is raised here; none of them outlives this process. `progress` is told how many of how many are
    done. `workers` None asks the machine. Results and errors have to be picklable.
    """
    if workers is None:
        workers = _usable_cpus() if len(items) >= WORTH_A_FLEET else 1
    found: dict[int, Result] = {}
    why = ""
    progress(0, len(items))
    if workers > 1:
        from baileys_tools.commands.workers import Workers

        with Workers(items, work, workers) as fleet:
            for index, result in fleet.results():
                found[index] = result
                progress(len(found), len(items))
        why = fleet.deaths
    for index, item in enumerate(items):
        # All of them when there are no workers; also what a worker was told to let go of.
        if index not in found:
            found[index] = lost(item, why) if why else work(item)
            progress(len(found), len(items))
    return [found[index] for index in range(len(items))]


def _usable_cpus() -> int:
    # Where the system does not say, one is enough.
    return min(MOST_WORKERS, len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else 1
