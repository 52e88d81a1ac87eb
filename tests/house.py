"""Reads a package as a house: its rooms, the arrows of imports between them, and what each file does to the world.

`python -m tests.house` prints the picture that docs/rooms.txt holds.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path

PACKAGE = "baileys_tools"

FLOORS = (
    "cli",
    "page",
    "recovery",
    "watching",
    "cures",
    "cleanup",
    "host",
    "snapshots",
    "bots",
    "alerts",
    "frame",
    "sessions",
    "config",
    "stores",
    "state",
    "ground",
)
"""The rooms from the top. A room imports only from itself and from rooms below it."""

GROUND = (
    *(
        "ending",
        "errors",
        "finding_codes",
        "findings",
        "kernel_lock",
        "layouts",
        "limits",
        "extras",
        "masking",
        "owner",
        "parsing",
        "pasted",
        "place",
        "schedule",
        "sqlite_pipes",
    ),
    *("thresholds", "trust", "units", "__init__"),
)
"""Files that stand beside the rooms, importable from everywhere."""

LARGEST_FOLDER = 24
"""Files in one folder, its `__init__` aside."""
LARGEST_FILE = 400
"""Lines of one file."""

IO_MODULES = {
    *("io", "logging", "os", "pathlib", "random", "shutil", "socket", "sqlite3", "subprocess", "tempfile"),
    *("threading", "time", "urllib"),
}
CLOCK_METHODS = {"now", "today", "utcnow"}
MAY_EXIT = {"frame/workers"}
"""Where processes are forked, they are ended too."""
VERBS = (
    "cleanup",
    "cures",
    "host",
    "snapshots",
    "watching",
    "recovery",
    "alerts",
    "bots",
    "page",
    "cli",
    "frame",
)
"""Rooms whose own files are verbs, which show a plan or apply it; so does what is below `show/`."""


class House:
    """The files of `package` by name (`cleanup/rules/policy`), parsed once."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.files = {
            path.relative_to(package).with_suffix("").as_posix(): path
            for path in sorted(package.rglob("*.py"))
        }
        self.trees = {
            name: ast.parse(path.read_text("utf-8"), str(path)) for name, path in self.files.items()
        }

    def parsed(self) -> list[tuple[Path, ast.Module]]:
        """Each file, and what is in it."""
        return [(path, self.trees[name]) for name, path in self.files.items()]

    def room(self, name: str) -> str:
        """Return the room of a file: its first folder, or the ground."""
        first = name.split("/")[0]
        if first == "__main__":
            return "cli"
        return "ground" if first in GROUND else first

    @cached_property
    def arrows(self) -> dict[str, dict[str, int]]:
        """file: {file that it imports, at its top or in a function: on which line first}"""
        found: dict[str, dict[str, int]] = {}
        for name, tree in self.trees.items():
            targets: dict[str, int] = {}
            for node in ast.walk(tree):
                for target in self._targets(name, node):
                    if target != name:
                        targets.setdefault(target, getattr(node, "lineno", 0))
            found[name] = targets
        return found

    def _targets(self, name: str, node: ast.AST) -> Iterator[str]:
        """Every file of the package that the statement `node` imports."""
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = (PACKAGE, *name.split("/"))[: -node.level]
                base = ".".join((*above, *filter(None, (node.module,))))
            modules = [f"{base}.{alias.name}" for alias in node.names]
        else:
            return
        for module in modules:
            first, _, rest = module.partition(".")
            if first == PACKAGE and (file := self._file_of(rest.replace(".", "/"))):
                yield file

    def _file_of(self, path: str) -> str:
        """`cleanup/rules/policy/Policy` and `cleanup/rules/policy` are of one file, a package is its `__init__`."""
        while path:
            for candidate in (path, f"{path}/__init__"):
                if candidate in self.files:
                    return candidate
            path = path.rpartition("/")[0]
        return "__init__" if "__init__" in self.files else ""

    def arrows_upwards(self) -> list[str]:
        """Every import from a room above, and every room that has no floor."""
        floors = {room: number for number, room in enumerate(FLOORS)}
        found = []
        for name, targets in self.arrows.items():
            room = self.room(name)
            if room not in floors:
                found.append(f"{name}: the room {room} has no floor")
                continue
            found += [
                f"{name} -> {target}"
                for target in targets
                if floors.get(self.room(target), len(floors)) < floors[room]
            ]
        return found

    def impure(self) -> list[str]:
        """What a file below a `rules/` imports or calls that touches the world."""
        found = []
        for name in self.files:
            if "rules" not in name.split("/")[:-1]:
                continue
            for target, line in self.arrows[name].items():
                if not self._is_pure(target):
                    found.append(f"{name}.py:{line}: imports {target}")
            for node in ast.walk(self.trees[name]):
                found += [f"{name}.py:{node.lineno}: imports {io}" for io in _io_imported(node)]  # type: ignore[attr-defined]
                if isinstance(node, ast.Call) and _reads_clock_or_file(node):
                    found.append(f"{name}.py:{node.lineno}: reads the clock or a file")
        return found

    def _is_pure(self, name: str) -> bool:
        return self.room(name) == "ground" or "rules" in name.split("/")[:-1] or name.endswith("__init__")

    def circles(self) -> list[str]:
        """Groups of files that import each other round, each as its names in order."""
        number: dict[str, int] = {}
        lowest: dict[str, int] = {}
        stack: list[str] = []
        found: list[str] = []

        def visit(name: str) -> None:
            number[name] = lowest[name] = len(number)
            stack.append(name)
            for target in self.arrows[name]:
                if target not in number:
                    visit(target)
                if target in stack:
                    lowest[name] = min(lowest[name], lowest[target])
            if lowest[name] == number[name]:
                group = stack[stack.index(name) :]
                del stack[stack.index(name) :]
                if len(group) > 1:
                    found.append(", ".join(sorted(group)))

        for name in self.files:
            if name not in number:
                visit(name)
        return sorted(found)

    def exits(self) -> list[str]:
        """Where a file other than the command line's ends the process."""
        return self._lines(_exits, lambda name: self.room(name) == "cli" or name in MAY_EXIT)

    def dry_runs(self) -> list[str]:
        """Where a file that is neither a verb nor shows results asks whether this is a dry run."""

        def may_ask(name: str) -> bool:
            parts = name.split("/")[:-1]
            return "show" in parts or (len(parts) == 1 and parts[0] in VERBS)

        return self._lines(_asks_for_dry_run, may_ask)

    def _lines(self, is_offence: Callable[[ast.AST], bool], may: Callable[[str], bool]) -> list[str]:
        return [
            f"{name}.py:{getattr(node, 'lineno', 0)}"
            for name, tree in self.trees.items()
            if not may(name)
            for node in ast.walk(tree)
            if is_offence(node)
        ]

    def crowded_folders(self) -> list[str]:
        """Folders that hold more files than one can hold in mind."""
        folders = Counter(
            name.rpartition("/")[0] or "." for name in self.files if not name.endswith("__init__")
        )
        return [f"{folder}: {files} files" for folder, files in folders.items() if files > LARGEST_FOLDER]

    def long_files(self) -> list[str]:
        """Files with more lines than one can hold in mind."""
        lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in self.files.items()}
        return [f"{name}.py: {lines} lines" for name, lines in lengths.items() if lines > LARGEST_FILE]


@cache
def the_house() -> House:
    """The package itself. The tests that look into it are in one group, so that it is parsed once."""
    return House(Path(__file__).parents[1] / PACKAGE)


def listing(house: House) -> str:
    """Return the picture: every room from the top, with its files, and the rooms that it imports from."""
    lines = []
    for room in FLOORS:
        names = [name for name in house.files if house.room(name) == room and not name.endswith("__init__")]
        if not names:
            continue
        arrows = Counter(
            house.room(target)
            for name in names
            for target in house.arrows[name]
            if house.room(target) != room
        )
        lines.append(room)
        below = [f"{other} {arrows[other]}" for other in FLOORS if arrows[other]]
        lines.append(f"    imports from: {', '.join(below) or 'nothing'}")
        folders: dict[str, list[str]] = {}
        for name in names:
            folder, _, file = name.rpartition("/")
            folders.setdefault(folder, []).append(file)
        for folder, files in sorted(folders.items()):
            lines.append(f"    {folder or PACKAGE}/: {', '.join(sorted(files))}")
    return "\n".join(lines) + "\n"


def _io_imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level:
        modules = [node.module or ""]
    else:
        return []
    return [first for module in modules if (first := module.split(".")[0]) in IO_MODULES]


def _reads_clock_or_file(node: ast.Call) -> bool:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in CLOCK_METHODS
    return isinstance(node.func, ast.Name) and node.func.id in ("open", "print", "input")


def _exits(node: ast.AST) -> bool:
    """`sys.exit()`, `exit()`, `os._exit()`, `typer.Exit`, `SystemExit`: called, raised or imported."""
    match node:
        case ast.Attribute(value=ast.Name(id="sys"), attr="exit") | ast.Attribute(attr="_exit"):
            return True
        case ast.Attribute(value=ast.Name(id="typer"), attr="Exit" | "Abort"):
            return True
        case ast.Raise(exc=ast.Name(id="SystemExit") | ast.Call(func=ast.Name(id="SystemExit"))):
            return True
        case ast.Call(func=ast.Name(id="exit" | "quit")):
            return True
        case ast.ImportFrom(module="sys" | "typer", names=names):
            return any(alias.name in ("exit", "Exit", "Abort") for alias in names)
    return False


def _asks_for_dry_run(node: ast.AST) -> bool:
    if not isinstance(node, ast.If | ast.IfExp | ast.While):
        return False
    names = (getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node.test))
    return "dry_run" in names


if __name__ == "__main__":
    print(listing(the_house()), end="")
