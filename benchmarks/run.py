"""What the tool costs, as ratios to what the system itself needs for the same work. Run by `make bench`.

Each comparison alternates both sides (A B A B ...) on a warm cache and takes the median of the ratios of the
pairs, so that a busy machine slows both. Exits with 1 when a limit is exceeded.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import backup, layouts, logs, monitor, page, stores, tree
from benchmarks.measure import Bench, Row, Run, memory_row, ratio_row, say, started

HERE = Path(__file__).parent


# --- the measurements ---------------------------------------------------------------------------------------


def dry_run(bench: Bench) -> Iterator[Row]:
    companies = bench.tree()
    ours, find, node = [], [], []
    for _ in range(bench.runs + 1):
        find.append(bench.run(["find", companies.root, "-type", "f", "-printf", "%T@ %s %p\n"]))
        ours.append(bench.cleanup(companies.root, "--dry-run"))
        node.append(bench.run(["node", HERE / "scan.mjs", companies.root]))
    # The first round warms the cache.
    yield ratio_row("dry run / find -printf", 1.5, ours[1:], find[1:])
    yield ratio_row("dry run / node readdir + stat", 0.9, ours[1:], node[1:])
    yield memory_row("dry run, all companies", ours)


def cleanup(bench: Bench) -> Iterator[Row]:
    companies = bench.tree()

    def removing(run: Callable[[], Run]) -> Run:
        companies.restore()
        os.sync()
        result = run()
        left = companies.count_files()
        if left != companies.companies * (tree.FILES_PER_COMPANY - tree.REMOVABLE_PER_COMPANY):
            raise SystemExit(f"{left} files are left: not the same work, so nothing to compare")
        return result

    find = ["find", str(companies.root), "-type", "f", *tree.FIND_REMOVABLE, "-delete"]
    with_undo, at_once, found = [], [], []
    for _ in range(bench.runs):
        with_undo.append(removing(lambda: bench.cleanup(companies.root)))
        found.append(removing(lambda: bench.run(find)))
        at_once.append(
            removing(lambda: bench.cleanup(companies.root, BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW="0"))
        )
    companies.restore()
    yield ratio_row("cleanup with undo / find -delete", 2.5, with_undo, found)
    yield ratio_row("cleanup, undo_window 0 / find -delete", 1.6, at_once, found)
    yield memory_row("cleanup, all companies", with_undo + at_once)


def growth(bench: Bench) -> Iterator[Row]:
    companies = bench.tree()
    half_root = bench.place / "half"
    half, whole = [], []
    for _ in range(bench.runs + 1):
        half_root.mkdir()
        for company in range(companies.companies // 2):
            folder = companies.folder(company)
            folder.rename(half_root / folder.name)
        half.append(bench.cleanup(half_root, "--dry-run"))
        for folder in half_root.iterdir():
            folder.rename(companies.root / folder.name)
        half_root.rmdir()
        whole.append(bench.cleanup(companies.root, "--dry-run"))
    # The first round warms the cache.
    yield ratio_row("twice the companies, time", 2.2, whole[1:], half[1:])


def crowded(bench: Bench) -> Iterator[Row]:
    count = 100 * bench.companies
    say(f"building one folder of {count} files")
    folder = bench.place / "crowded" / "company_1"
    folder.mkdir(parents=True)
    tree.write_files(folder, tree.crowded_files(count), started)
    looked = bench.cleanup(folder.parent, "--dry-run")
    cleaned = bench.cleanup(folder.parent)
    yield memory_row(f"one folder of {count} files, dry run", [looked])
    yield memory_row(f"one folder of {count} files, cleanup", [cleaned])


def start(bench: Bench) -> Iterator[Row]:
    root = bench.place / "small"
    folder = root / "company_1"
    folder.mkdir(parents=True)
    tree.write_files(folder, tree.company_files(0), started)
    bench.cleanup(root)
    ours, hello = [], []
    for _ in range(max(15, bench.runs)):
        shutil.rmtree(folder / ".baileys-tools", ignore_errors=True)
        tree.write_files(folder, (file for file in tree.company_files(0) if file.removable), started)
        hello.append(bench.run([sys.executable, HERE / "hello.py"]))
        ours.append(bench.cleanup(root))
    yield ratio_row("quiet cleanup, 1 company / typer hello", 1.3, ours, hello)


BENCHES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "start": start,
    "dry-run": dry_run,
    "growth": growth,
    "cleanup": cleanup,
    "crowded": crowded,
    "monitor": monitor.rows,
    "layouts": layouts.rows,
    "backup": backup.rows,
    "logs": logs.rows,
    "page": page.rows,
    **{f"stores-{kind.preset}": partial(stores.rows, kind=kind) for kind in stores.KINDS},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*BENCHES, "stores"]
    parser.add_argument("--only", action="append", choices=names, help="measure only this (repeatable)")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs for each ratio (default 5)")
    parser.add_argument("--companies", type=int, default=1000, help="size of the tree (default 1000)")
    parser.add_argument("--place", type=Path, help="build the trees below this folder (default: temporary)")
    options = parser.parse_args()

    rows: list[Row] = []
    print(f"{'':<42}{'measured':>10}{'limit':>10}")
    with tempfile.TemporaryDirectory(prefix="baileys-tools-bench-", dir=options.place) as place:
        bench = Bench(Path(place), options.companies, options.runs)
        wanted = [one for one in options.only or () if one != "stores"]
        wanted += [one for one in BENCHES if one.startswith("stores-") and "stores" in (options.only or ())]
        for name in wanted or BENCHES:
            for row in BENCHES[name](bench):
                rows.append(row)
                verdict = "" if row.passed else "  TOO MUCH"
                figures = f"{row.figure:>8.2f}{row.unit:<5}{row.limit:>6g}{row.unit}"
                print(f"{row.what:<42}{figures}  {row.detail}{verdict}", flush=True)
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
