"""What the package says that it needs is what it imports: no more, no less."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from shlex import quote

import pytest

from baileys_tools.extras import PACKAGES
from tests.house import the_house

pytestmark = pytest.mark.xdist_group("trees of the package")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def plain(name: str) -> str:
    """The name of a distribution as all write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {plain(re.match(r"[\w.-]+", one).group()) for one in requirements}  # type: ignore[union-attr]


@cache
def imported() -> dict[str, set[str]]:
    """The distributions that the package imports, each with the files that do."""
    of_module = packages_distributions()
    found: dict[str, set[str]] = {}
    for path, tree in the_house().parsed():
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            for module in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names):
                if module != "baileys_tools":
                    (distribution,) = set(of_module.get(module, [module]))
                    found.setdefault(plain(distribution), set()).add(path.name)
    return found


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    with_extras = declared([*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)])
    assert set(imported()) == with_extras


def test_what_is_said_to_be_added_is_what_the_extra_brings() -> None:
    for extra, needs in EXTRAS.items():
        known = PACKAGES[extra].values()
        assert declared([*known]) | declared(PROJECT["dependencies"]) >= declared(needs), extra
        assert declared([*known]) <= declared(needs), extra
    assert PACKAGES.keys() == EXTRAS.keys()
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    for extra, packages in PACKAGES.items():
        assert f"pipx inject baileys-tools {' '.join(map(quote, packages.values()))}" in pages, extra


def test_what_only_an_extra_brings_is_imported_in_few_places() -> None:
    """Where it is away, a command says so: each import of it is behind that check."""
    optional = declared([one for extra in EXTRAS.values() for one in extra]) - declared(
        PROJECT["dependencies"]
    )
    where = {name: files for name, files in imported().items() if name in optional}
    assert where == {
        "paramiko": {"sftp.py"},
        "fsspec": {"sftp.py"},
        "s3fs": {"copy_place.py"},
        "psycopg": {"postgres.py"},
        "redis": {"redis_connection.py"},
        "apprise": {"apprise_child.py"},
        "requests": {"apprise_child.py"},
        "starlette": {"app.py", "asked.py", "doing.py", "guard.py", "old_api.py", "streams.py"},
        "uvicorn": {"connections.py", "serving.py"},
    }
