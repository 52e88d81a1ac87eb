"""A cleanup of many companies: a line each, and a block only for what is wrong."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import company_folder, write_key

OLD = timedelta(days=40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(5):
        company_folder(
            tmp_path, f"100{number}", keys={f"session-4477009001{n}.0.json": OLD for n in range(number)}
        )
    return tmp_path


def lines_of(root: Path, *options: str) -> list[str]:
    done = run_cli("cleanup", "--sessions", root, *options)
    assert done.returncode in (0, 3), done.stderr
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 or str(root) in line for line in lines)
    return lines


def test_each_of_more_than_three_has_one_line(root: Path) -> None:
    lines = lines_of(root, "--dry-run")
    wanted = re.compile(r"(100\d)  healthy +\d+ -> \d+ +(?:would remove (\d+) \(.+\)|(nothing) to remove)")
    found = [wanted.fullmatch(line) for line in lines[:5]]
    assert [(line[1], line[2] or line[3]) for line in found if line] == [
        ("1000", "nothing"),
        *((f"100{n}", str(n)) for n in range(1, 5)),
    ]
    text = "\n".join(lines)
    assert "cost       next message delayed by one resend for 10 contacts" in text
    assert "--verbose shows each company's block" in text
    done = lines_of(root)
    assert sum("removed 4 (" in line for line in done) == 1
    assert not any("would" in line for line in done)


def test_verbose_and_few_have_their_blocks(root: Path) -> None:
    verbose = "\n".join(lines_of(root, "--dry-run", "--verbose"))
    assert verbose.count("  level      ") == 5
    assert "session-44770090010.0.json" in verbose
    few = "\n".join(lines_of(root, "--dry-run", "--company", "1001,1002,1003"))
    assert few.count("  level      ") == 3
    assert "more  " not in few


def test_what_is_wrong_keeps_its_block(root: Path) -> None:
    write_key(root / "company_1002", "creds.json", OLD, "")
    lines = lines_of(root, "--dry-run")
    assert sum(line.startswith("company ") for line in lines) == 1
    assert any(line.startswith("company 1002  ") for line in lines)
    assert "  held       creds.json is empty: nothing is removed until the session is whole" in lines
