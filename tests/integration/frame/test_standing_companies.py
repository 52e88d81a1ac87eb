"""The companies that the settings name: whoever removes a folder, or makes a second one of its name, stops no other."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import company_folder

OLD = {"session-491701.0.json": timedelta(days=30)}


@pytest.fixture
def roots(tmp_path: Path) -> list[str]:
    """Two roots of different bots; the settings name three companies of them."""
    company_folder(tmp_path / "a", "1001", OLD, registrationId=11)
    company_folder(tmp_path / "a", "2002", OLD, registrationId=12)
    company_folder(tmp_path / "b", "3003", OLD, registrationId=13)
    text = {
        "sessions": {
            "roots": [str(tmp_path / "a"), str(tmp_path / "b")],
            "companies": ["1001", "2002", "3003"],
        },
        "backup": {"path": str(tmp_path / "repository")},
    }
    (tmp_path / "settings.yaml").write_text(json.dumps(text))
    return ["--config", str(tmp_path / "settings.yaml")]


def done(roots: list[str], *words: str) -> tuple[int, dict[str, str]]:
    """Run a command, and return its exit code and, by company, all that it says."""
    run = run_cli(*words, "--json", *roots)
    document = json.loads(run.stdout)
    assert "companies" in document, document
    return run.returncode, {one["company"]: json.dumps(one) for one in document["companies"]}


FLEET = (
    ("backup",),
    ("cleanup", "--dry-run"),
    ("cleanup",),
    ("trigger",),
    ("status",),
    ("report",),
    ("recover", "--dry-run"),
    ("monitor-once", "--no-notify"),
)


@pytest.mark.parametrize("words", FLEET, ids=" ".join)
def test_one_that_is_not_there_and_a_second_of_a_name_stop_no_other(
    tmp_path: Path, roots: list[str], words: tuple[str, ...]
) -> None:
    shutil.rmtree(tmp_path / "b" / "company_3003")
    company_folder(tmp_path / "b", "1001", OLD, registrationId=14)
    code, said = done(roots, *words)
    assert set(said) == {"1001@a", "1001@b", "2002", "3003"}
    assert code in (3, 5) or "--dry-run" in words, "one company failed, the others are done"
    assert [name for name, text in said.items() if "there is no such company" in text] == ["3003"]
    if words == ("cleanup",):
        assert not list(tmp_path.glob("?/*/session-*"))


@pytest.mark.parametrize("words", [("prune",), ("verify",), ("snapshots",)], ids=" ".join)
def test_one_without_a_snapshot_keeps_those_of_others_from_nothing(
    tmp_path: Path, roots: list[str], words: tuple[str, ...]
) -> None:
    shutil.rmtree(tmp_path / "b" / "company_3003")
    assert run_cli("backup", *roots).returncode == 3
    assert run_cli(*words, *roots).returncode == 0
    assert run_cli(*words, "--company", "1001,3003", *roots).returncode == 10, "what somebody types is meant"


def test_where_none_of_them_is_there_a_run_ends_with_what_is(tmp_path: Path, roots: list[str]) -> None:
    for folder in tmp_path.glob("?/company_*"):
        folder.rename(folder.with_name(f"company_{folder.name}0"))
    run = run_cli("cleanup", "--dry-run", *roots)
    assert run.returncode == 10
    assert "no company 1001, 2002, 3003" in run.stderr
