"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from baileys_tools.errors import ExitCode
from fixtures.lay import REFERENCE_NOW, lay
from tests.integration.faults.forked import run_cli

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tour's dry run prints, the sessions path as the README has it."""
    sessions = lay("bloated-v6", tmp_path_factory.mktemp("tour") / "sessions", REFERENCE_NOW)
    run = run_cli(
        *("cleanup", "--dry-run", "--verbose", "--sessions", sessions, "--now", REFERENCE_NOW.isoformat())
    )
    assert run.returncode == 0
    return run.stdout.replace(str(sessions), "/tmp/sessions")


def test_the_tour_shows_the_real_plan(tour: str) -> None:
    (shown,) = re.findall(r"<!-- tour: begin -->\n```console\n(.*?)```", README, re.DOTALL)
    wanted = shown.split("cleanup --dry-run\n")[1].splitlines()
    plan, total = wanted[: wanted.index("")], wanted[wanted.index("") :]
    assert tour.splitlines()[: len(plan)] == plan
    assert tour.splitlines()[-len(total) :] == total


def test_the_reasons_in_the_tour_are_real_ones(tour: str) -> None:
    (shown,) = re.findall(r"--dry-run --verbose\n(.*?)```", README, re.DOTALL)
    for part in filter(None, shown.split("...\n")):
        assert part in tour


def test_the_table_of_exit_codes_is_whole() -> None:
    table = README.split("## Exit codes")[1]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [*ExitCode]


def test_what_comes_before_more_is_one_screen_with_a_picture_and_three_commands() -> None:
    first = README.partition("\n## More\n")[0]
    assert len(first.splitlines()) <= 20
    (picture,) = re.findall(r"!\[.{40,}\]\((.+)\)", first)
    assert (Path(__file__).parents[2] / picture).read_bytes().startswith(b"\x89PNG")
    commands = re.findall(r"^    (?:baileys-tools )?(\w+)", first, re.MULTILINE)
    assert commands == ["pipx", "setup", "status"]
    for command in commands[1:]:
        assert run_cli(command, "--help").returncode == 0
