"""What a pattern of folders costs beside `company_*`: the same thousand sessions, two folders deep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import tree
from benchmarks.measure import Bench, Row, ratio_row, started
from benchmarks.monitor import STILL, a_pass, settle

DRY_RUN = 1.5


def rows(bench: Bench) -> Iterator[Row]:
    """Measure both commands on such a tree, in alternating pairs with `find`."""
    root = bench.place / "deep"
    built = tree.build(root, bench.companies, started)
    for number in range(built.companies):
        around = root / f"bot-{number}"
        around.mkdir()
        built.folder(number).rename(around / "auth_info_baileys")
    pattern = Path(f"{root}/*/auth_info_baileys")
    find: list[str | Path] = ["find", root, "-type", "f", "-printf", "%T@ %s %p\n"]
    settle(bench, pattern)
    still, found_still = [], []
    for _ in range(bench.runs):
        found_still.append(bench.run(find))
        still.append(a_pass(bench, pattern))
    yield ratio_row("monitor-once, two folders deep / find", STILL, still, found_still)
    dry, found = [], []
    for _ in range(bench.runs):
        found.append(bench.run(find))
        dry.append(bench.cleanup(pattern, "--dry-run"))
    yield ratio_row("dry run, two folders deep / find", DRY_RUN, dry, found)
