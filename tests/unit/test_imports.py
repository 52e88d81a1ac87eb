"""The house rules that the source shows: which way imports run, where I/O, clocks and exits may stand.

`broken_rules` reads a package with `ast` and returns one line for each offence; the last tests feed it one
offence at a time, so that a green run means something.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "baileys_tools"
ROOT = Path(__file__).parents[2] / PACKAGE

LEAVES = {"errors", "units", "masking", "schedule", "owner", "parsing"}
"""Imported from everywhere and importing nothing of the project."""
EFFECTS = {"sessions", "snapshots", "state", "integrations", "output"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "masking": set(),
    "parsing": set(),
    "owner": set(),
    "units": {"errors"},
    "schedule": {"units"},
    "domain": LEAVES | {"domain"},
    "config": LEAVES | {"config"},
    **{effect: LEAVES | {effect, "domain"} for effect in EFFECTS},
    "commands": LEAVES | EFFECTS | {"commands", "domain", "config"},
    "cli": LEAVES | EFFECTS | {"commands", "domain", "config", "cli"},
    "__main__": {"cli"},
    "__init__": set(),
}
"""room: rooms it may import. What is not in here may not exist: a new room states its place first."""

NO_IO_MODULES = {
    *("io", "logging", "os", "pathlib", "random", "shutil", "socket", "sqlite3", "subprocess", "tempfile"),
    *("threading", "time", "urllib"),
}
ENDS_CHILDREN = {("commands", "workers")}
"""Where processes are forked, they are ended too."""
CLOCK_METHODS = {"now", "today", "utcnow"}
NO_DRY_RUN = (EFFECTS | LEAVES | {"domain"}) - {"output"}
"""A plan is applied or shown; who applies it does not ask. Only output knows, to say "would remove"."""


def test_the_package_keeps_the_house_rules() -> None:
    assert broken_rules(ROOT) == []


def broken_rules(package: Path) -> list[str]:
    """Every offence in the Python files of `package`, as `path:line: what`, in order."""
    return [
        f"{path.relative_to(package)}:{line}: {what}"
        for path in sorted(package.rglob("*.py"))
        for line, what in sorted(_offences(package, path))
    ]


def _offences(package: Path, path: Path) -> Iterator[tuple[int, str]]:
    parts = path.relative_to(package).with_suffix("").parts
    room = _room(parts[0])
    if room not in MAY_IMPORT:
        yield 1, f"the room {room} has no place in MAY_IMPORT"
        return
    tree = ast.parse(path.read_text("utf-8"), str(path))
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for module in _imported_modules(node, folder=parts[:-1]):
            if offence := _import_offence(room, module):
                yield line, offence
        if room == "domain" and _reads_clock_or_file(node):
            yield line, "domain reads the clock or a file"
        if room not in ("cli", "__main__") and parts not in ENDS_CHILDREN and _exits(node):
            yield line, "only cli exits"
        if room in NO_DRY_RUN and _asks_for_dry_run(node):
            yield line, "below commands nothing asks whether this is a dry run"


def _room(name: str) -> str:
    """`config`, `config_schema` and `config/` are one room; so are `cli` and `cli_*`."""
    for room in ("config", "cli"):
        if name.startswith(f"{room}_"):
            return room
    return name


def _imported_modules(node: ast.AST, folder: tuple[str, ...]) -> list[str]:
    """Full dotted names that the import statement `node` names (nothing for other nodes).

    `folder` is where the importing module stands below the package: what a leading dot means.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = (PACKAGE, *folder)
        above = package[: len(package) - node.level + 1]
        base = ".".join((*above, *filter(None, (node.module,))))
    # `from baileys_tools import config` names the module only in its list of names.
    return [f"{base}.{alias.name}" for alias in node.names] if base == PACKAGE else [base]


def _import_offence(room: str, module: str) -> str | None:
    first, *rest = module.split(".")
    if first == PACKAGE:
        target = _room(rest[0]) if rest else "__init__"
        if target.startswith("__") or target in MAY_IMPORT[room]:
            return None
        return f"{room} may not import {target}"
    if room == "domain" and first in NO_IO_MODULES:
        return f"domain may not import {first}"
    return None


def _reads_clock_or_file(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
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


# --- the checker itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "offence"),
    [
        ("domain/policy.py", "import os", "domain may not import os"),
        ("domain/policy.py", "from pathlib import Path", "domain may not import pathlib"),
        ("domain/policy.py", "from baileys_tools.config import load", "domain may not import config"),
        ("domain/policy.py", "from baileys_tools import sessions", "domain may not import sessions"),
        ("domain/policy.py", "from ..sessions import scan", "domain may not import sessions"),
        ("domain/policy.py", "from .. import sessions", "domain may not import sessions"),
        ("domain/__init__.py", "from ..sessions import scan", "domain may not import sessions"),
        ("domain/policy.py", "def f():\n    import time", "domain may not import time"),
        ("domain/policy.py", "x = datetime.now(UTC)", "domain reads the clock or a file"),
        ("domain/policy.py", "x = open('creds.json')", "domain reads the clock or a file"),
        (
            "sessions/scan.py",
            "from baileys_tools.commands import cleanup",
            "sessions may not import commands",
        ),
        ("sessions/scan.py", "from baileys_tools.output import text", "sessions may not import output"),
        ("sessions/scan.py", "import baileys_tools.cli", "sessions may not import cli"),
        ("config.py", "from baileys_tools.domain import policy", "config may not import domain"),
        ("config_schema.py", "from .commands import cleanup", "config may not import commands"),
        ("units.py", "from .config import load", "units may not import config"),
        ("commands/cleanup.py", "from ..cli import app", "commands may not import cli"),
        ("commands/cleanup.py", "import sys\nsys.exit(3)", "only cli exits"),
        ("commands/cleanup.py", "raise typer.Exit(1)", "only cli exits"),
        ("output/text.py", "raise SystemExit(1)", "only cli exits"),
        ("output/text.py", "from sys import exit", "only cli exits"),
        ("sessions/quarantine.py", "if settings.dry_run: pass", "nothing asks whether this is a dry run"),
        ("sessions/quarantine.py", "x = 1 if not dry_run else 2", "nothing asks whether this is a dry run"),
        ("attic/old.py", "", "the room attic has no place in MAY_IMPORT"),
    ],
)
def test_an_offence_is_found(tmp_path: Path, path: str, source: str, offence: str) -> None:
    _write(tmp_path, path, source)
    (found,) = broken_rules(tmp_path)
    assert found.startswith(f"{path}:")
    assert offence in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("domain/policy.py", "import json\nfrom datetime import datetime\nfrom ..units import days"),
        ("domain/policy.py", "from .keyfiles import KeyFile\nfrom baileys_tools.errors import UsageError"),
        ("domain/__init__.py", "from .policy import plan_cleanup"),
        ("sessions/scan.py", "import os\nfrom baileys_tools.domain.keyfiles import KeyFile"),
        ("commands/cleanup.py", "from ..sessions import scan\nif dry_run: pass"),
        ("output/text.py", "verb = 'would remove' if report.dry_run else 'removed'"),
        ("cli.py", "import sys\nfrom .commands import cleanup\nsys.exit(0)"),
        ("__main__.py", "from baileys_tools.cli import main\nraise SystemExit(main())"),
        (
            "commands/config.py",
            "from baileys_tools import __version__\nfrom ..config import load",
        ),
    ],
)
def test_what_the_rules_allow_passes(tmp_path: Path, path: str, source: str) -> None:
    _write(tmp_path, path, source)
    assert broken_rules(tmp_path) == []


def _write(package: Path, path: str, source: str) -> None:
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
