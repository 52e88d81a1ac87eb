"""What watching costs beside `find` on a thousand companies, and beside a script in Node on ten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import tree
from benchmarks.measure import COMMAND, Bench, Row, Run, ratio_row, started

HERE = Path(__file__).parent
STILL, MOVED, BESIDE_NODE, MIB = 0.35, 0.8, 1.0, 60
"""Limits: what stands still and what has moved as a ratio to `find`, ten companies as a ratio to Node, memory."""
FEW = 10
CLOCK_STEP = 2.5
"""Seconds after which a folder that changed is taken to stand still."""


def rows(bench: Bench) -> Iterator[Row]:
    """Measure passes in alternating pairs with what does the equal work."""
    companies = bench.tree()
    find: list[str | Path] = ["find", companies.root, "-type", "f", "-printf", "%T@ %s %p\n"]
    settle(bench, companies.root)
    still, moved, found, found_moved = [], [], [], []
    for _ in range(bench.runs):
        found.append(bench.run(find))
        still.append(a_pass(bench, companies.root))
    for _ in range(bench.runs):
        _move(companies)
        found_moved.append(bench.run(find))
        moved.append(a_pass(bench, companies.root))
    yield ratio_row("monitor-once, nothing moved / find", STILL, still, found)
    yield ratio_row("monitor-once, all folders moved / find", MOVED, moved, found_moved)
    few = tree.build(bench.place / "few", FEW, started)
    settle(bench, few.root)
    ours, node = [], []
    for _ in range(max(15, bench.runs)):
        node.append(bench.run(["node", HERE / "monitor.mjs", few.root]))
        ours.append(a_pass(bench, few.root))
    yield ratio_row(f"monitor-once, {FEW} companies / node", BESIDE_NODE, ours, node)
    moved_few, node = [], []
    for _ in range(max(15, bench.runs)):
        _move(few)
        node.append(bench.run(["node", HERE / "monitor.mjs", few.root]))
        moved_few.append(a_pass(bench, few.root))
    yield ratio_row(f"the same, all {FEW} folders moved / node", BESIDE_NODE, moved_few, node)
    peak = max(run.peak_mib for run in still + moved + ours)
    yield Row("monitor-once, all companies", peak, MIB, " MiB", "peak memory")


def a_pass(bench: Bench, root: Path) -> Run:
    # Folders of 200 files are beyond every threshold, which is what exit code 5 says.
    return bench.run(
        [COMMAND, "monitor-once", "--quiet", "--no-notify"], exits=(5,), BAILEYS_SESSIONS_PATH=str(root)
    )


def settle(bench: Bench, root: Path) -> None:
    """Have each folder looked at once when it has stood still for a while."""
    time.sleep(CLOCK_STEP)
    for _ in range(2):
        a_pass(bench, root)


def _move(companies: tree.Tree) -> None:
    """Change each folder: a key goes and another comes, so that the work stays the same."""
    for company in range(companies.companies):
        folder = companies.folder(company)
        number = 4_916_000_000_000 + company
        for one, other in ((0, 1), (1, 0)):
            if (key := folder / f"session-{number}.{one}.json").exists():
                key.rename(folder / f"session-{number}.{other}.json")
                break
        else:
            # A whole one: an empty key is a finding, which is asked about at every pass.
            (folder / f"session-{number}.0.json").write_bytes(tree.SESSION)
