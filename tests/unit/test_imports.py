"""The house rules that the source shows: the floors, what is pure, where may be exited, how large a room may grow.

`tests/house.py` reads the package with `ast`; the tests at the end feed it one offence at a time, so that a green run
means something.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house import LARGEST_FILE, LARGEST_FOLDER, House, listing, the_house

pytestmark = pytest.mark.xdist_group("trees of the package")

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "rooms.txt"
MAY_BE_LONG = {
    "config/schema.py": "one table of all settings",
}
"""Files over the limit, each with its reason."""


@pytest.fixture(scope="module")
def house() -> House:
    return the_house()


def test_a_room_imports_only_from_rooms_below(house: House) -> None:
    assert house.arrows_upwards() == []


def test_nothing_under_rules_touches_the_world(house: House) -> None:
    assert house.impure() == []


def test_no_file_imports_in_a_circle(house: House) -> None:
    assert house.circles() == []


def test_only_the_command_line_exits(house: House) -> None:
    assert house.exits() == []


def test_below_the_verbs_nothing_asks_whether_this_is_a_dry_run(house: House) -> None:
    assert house.dry_runs() == []


def test_no_folder_and_no_file_is_too_large_to_hold_in_mind(house: House) -> None:
    assert house.crowded_folders() == []
    assert [file for file in house.long_files() if file.split(":")[0] not in MAY_BE_LONG] == []


def test_the_picture_of_the_rooms_is_what_the_code_says(house: House) -> None:
    assert listing(house) == PICTURE.read_text(), "run: make docs"


# --- the checker itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "offence"),
    [
        ("cleanup/rules/policy.py", "import os", "imports os"),
        ("cleanup/rules/policy.py", "from pathlib import Path", "imports pathlib"),
        ("cleanup/rules/policy.py", "def f():\n    import time", "imports time"),
        ("cleanup/rules/policy.py", "from baileys_tools.sessions import scan", "imports sessions/scan"),
        ("cleanup/rules/policy.py", "from ...sessions import scan", "imports sessions/scan"),
        ("cleanup/rules/policy.py", "x = datetime.now(UTC)", "reads the clock or a file"),
        ("cleanup/rules/policy.py", "x = open('creds.json')", "reads the clock or a file"),
    ],
)
def test_what_is_impure_is_found(tmp_path: Path, path: str, source: str, offence: str) -> None:
    write(tmp_path, "sessions/scan.py", "")
    write(tmp_path, path, source)
    (found,) = House(tmp_path).impure()
    assert found.startswith(f"{path}:")
    assert offence in found


@pytest.mark.parametrize(
    ("path", "source", "target"),
    [
        ("sessions/scan.py", "from baileys_tools.cleanup import cleaning", "cleanup"),
        ("sessions/scan.py", "import baileys_tools.cleanup.cleaning", "cleanup"),
        ("sessions/scan.py", "from ..cleanup import cleaning", "cleanup"),
        (
            "sessions/rules/keyfiles.py",
            "def f():\n    from baileys_tools.cleanup.cleaning import clean",
            "cleanup",
        ),
        ("units.py", "from baileys_tools.sessions import scan", "sessions"),
        ("config/load.py", "import baileys_tools.sessions.scan", "sessions"),
    ],
)
def test_an_arrow_upwards_is_found(tmp_path: Path, path: str, source: str, target: str) -> None:
    for name in ("cleanup/cleaning.py", "cleanup/__init__.py", "sessions/scan.py", "sessions/__init__.py"):
        write(tmp_path, name, "clean = 1")
    write(tmp_path, path, source)
    (found,) = House(tmp_path).arrows_upwards()
    assert found.startswith(path.removesuffix(".py"))
    assert f"-> {target}" in found


def test_a_room_without_a_floor_is_found(tmp_path: Path) -> None:
    write(tmp_path, "attic/old.py", "")
    assert House(tmp_path).arrows_upwards() == ["attic/old: the room attic has no floor"]


def test_a_circle_is_found_also_inside_a_room_and_behind_a_function(tmp_path: Path) -> None:
    write(tmp_path, "sessions/scan.py", "from baileys_tools.sessions.locks import lock")
    write(tmp_path, "sessions/locks.py", "def lock():\n    from baileys_tools.sessions.scan import scan")
    assert House(tmp_path).circles() == ["sessions/locks, sessions/scan"]


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.exit(3)",
        "raise typer.Exit(1)",
        "raise SystemExit(1)",
        "from sys import exit",
        "import os\nos._exit(0)",
    ],
)
def test_an_exit_is_found(tmp_path: Path, source: str) -> None:
    write(tmp_path, "cleanup/cleaning.py", source)
    write(tmp_path, "cli/app.py", source)
    (found,) = House(tmp_path).exits()
    assert found.startswith("cleanup/cleaning.py:")


@pytest.mark.parametrize("source", ["if settings.dry_run: pass", "x = 1 if not dry_run else 2"])
def test_a_question_for_a_dry_run_is_found(tmp_path: Path, source: str) -> None:
    write(tmp_path, "sessions/quarantine.py", source)
    write(tmp_path, "cleanup/show/cleanup_text.py", source)
    write(tmp_path, "cleanup/cleaning.py", source)
    (found,) = House(tmp_path).dry_runs()
    assert found.startswith("sessions/quarantine.py:")


def test_a_crowd_and_a_long_file_are_found(tmp_path: Path) -> None:
    for number in range(LARGEST_FOLDER + 1):
        write(tmp_path, f"bots/part{number}.py", "")
    write(tmp_path, "bots/rules/long.py", "x = 1\n" * (LARGEST_FILE + 1))
    house = House(tmp_path)
    assert house.crowded_folders() == [f"bots: {LARGEST_FOLDER + 1} files"]
    assert house.long_files() == [f"bots/rules/long.py: {LARGEST_FILE + 1} lines"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "cleanup/rules/policy.py",
            "import json\nfrom datetime import datetime\nfrom baileys_tools.units import days",
        ),
        ("cleanup/rules/policy.py", "from baileys_tools.sessions.rules.keyfiles import KeyFile"),
        ("sessions/scan.py", "import os\nfrom baileys_tools.sessions.rules.keyfiles import KeyFile"),
        ("cleanup/cleaning.py", "from baileys_tools.sessions.rules import keyfiles\nif dry_run: pass"),
        ("cli/app.py", "import sys\nfrom baileys_tools.cleanup.rules import policy\nsys.exit(0)"),
        ("__main__.py", "raise SystemExit(1)"),
    ],
)
def test_what_the_rules_allow_passes(tmp_path: Path, path: str, source: str) -> None:
    for name in ("units.py", "sessions/rules/keyfiles.py", "sessions/rules/__init__.py"):
        write(tmp_path, name, "")
    write(tmp_path, path, source)
    house = House(tmp_path)
    assert [
        *house.arrows_upwards(),
        *house.impure(),
        *house.circles(),
        *house.exits(),
        *house.dry_runs(),
    ] == []


def write(package: Path, path: str, source: str) -> None:
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)


def test_a_name_of_a_class_is_one_class(house: House) -> None:
    """Two of one name are one word for two things, and whoever searches for one finds both."""
    found: dict[str, list[str]] = {}
    for name, tree in house.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(name)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}
