"""Two session folders of one name in two roots: whatever comes and goes beside a session, it stays who it is."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baileys_tools.config import Settings
from baileys_tools.layouts import RootSpec, SessionsPath
from baileys_tools.sessions.roots import Root
from baileys_tools.snapshots.prune import retention_of, run_prune
from baileys_tools.snapshots.rules.retention import Retention
from tests.integration.faults.forked import run_cli
from tests.support import company_folder


@pytest.fixture
def roots(tmp_path: Path) -> list[str]:
    """Two roots with a company 1001 each, and one more company in the first."""
    a, b = tmp_path / "a", tmp_path / "b"
    company_folder(a, registrationId=11)
    company_folder(a, "2002")
    company_folder(b, registrationId=12)
    text = {"sessions": {"roots": [str(a), str(b)]}, "backup": {"path": str(tmp_path / "repository")}}
    (tmp_path / "settings.yaml").write_text(json.dumps(text))
    return ["--config", str(tmp_path / "settings.yaml")]


def watched(roots: list[str]) -> dict[str, tuple[str, bool]]:
    """Return where each company stands that a pass tells of, and whether it is gone."""
    document = json.loads(run_cli("monitor-once", "--json", "--no-notify", *roots).stdout)
    return {one["company"]: (one["path"], one["state"] == "gone") for one in document["companies"]}


def test_who_is_called_otherwise_because_another_has_come_or_gone_is_not_gone(
    tmp_path: Path, roots: list[str]
) -> None:
    a, b = (str(tmp_path / root / "company_1001") for root in "ab")
    shutil.move(b, tmp_path / "kept")
    assert watched(roots)["1001"] == (a, False)
    shutil.move(tmp_path / "kept", b)
    both = {"1001@a": (a, False), "1001@b": (b, False)}
    assert {name: one for name, one in watched(roots).items() if name != "2002"} == both
    shutil.rmtree(b)
    for _ in range(2):
        one = {name: one for name, one in watched(roots).items() if name != "2002"}
        assert one == {"1001": (a, False), "1001@b": (b, True)}


def test_a_loss_is_told_where_another_has_the_name_by_now(tmp_path: Path, roots: list[str]) -> None:
    a, b = (str(tmp_path / root / "company_1001") for root in "ab")
    shutil.move(b, tmp_path / "kept")
    watched(roots)
    shutil.rmtree(a)
    shutil.move(tmp_path / "kept", b)
    for _ in range(2):
        found = watched(roots)
        assert found["1001"] == (b, False)
        assert found["1001@a"] == (a, True)


@pytest.mark.parametrize(
    "words", [["logs"], ["incidents"], ["inspect"], ["contacts"], ["cleanup", "--dry-run"]]
)
def test_the_short_name_lists_both_whatever_is_asked(roots: list[str], words: list[str]) -> None:
    done = run_cli(*words, "--company", "1001", *roots)
    assert done.returncode == 2
    assert "--company 1001@a" in done.stderr
    assert "--company 1001@b" in done.stderr


def test_snapshots_are_found_by_whatever_name_their_place_has(tmp_path: Path, roots: list[str]) -> None:
    b = tmp_path / "b" / "company_1001"

    def ways_back(company: str) -> str:
        done = run_cli("restore", "--company", company, "--dry-run", *roots)
        assert done.returncode == 0, done.stderr
        document = json.loads(run_cli("monitor-once", "--json", "--no-notify", *roots).stdout)
        codes = [finding["code"] for one in document["companies"] for finding in one["findings"]]
        assert not any(code.startswith("backup") for code in codes)
        return done.stdout

    shutil.move(b, tmp_path / "kept")
    run_cli("backup", "--quiet", *roots)
    shutil.move(tmp_path / "kept", b)
    assert "snapshot    1 of" in run_cli("restore", "--company", "1001@a", "--dry-run", *roots).stdout
    assert run_cli("restore", "--company", "1001@b", "--dry-run", *roots).returncode == 10
    run_cli("backup", "--quiet", *roots)
    assert len(list((tmp_path / "repository").iterdir())) == 3
    for company in ("1001@a", "1001@b"):
        assert "snapshot    1 of" in ways_back(company)
    shutil.move(tmp_path / "a" / "company_1001", tmp_path / "kept")
    assert f"company 1001  {b}" in ways_back("1001")


def test_a_shelf_from_before_is_found_by_the_name_that_its_place_has_now(tmp_path: Path) -> None:
    roots = [str(tmp_path / name) for name in ("a", "b")]
    for number, root in enumerate(roots):
        company_folder(Path(root), registrationId=11 + number)
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    run_cli("backup", "--quiet", "--sessions", roots[0], env=env)
    env["BAILEYS_TOOLS_SESSIONS__ROOTS"] = json.dumps(roots)
    run_cli("backup", "--quiet", env=env)
    for words in (["snapshots"], ["verify"], ["prune", "--dry-run"]):
        for company in ("1001@a", "1001@b"):
            done = run_cli(*words, "--company", company, env=env)
            assert done.returncode == 0, done.stdout + done.stderr
            assert ("1001@b" in done.stdout) is (company == "1001@b")
        assert run_cli(*words, "--company", "1002@a", env=env).returncode == 10
    asked: list[str] = []

    def retention(company: str) -> Retention:
        asked.append(company)
        return retention_of(Settings().backup)

    with Root(SessionsPath(*(RootSpec(one) for one in roots))) as opened:
        here = opened.companies()
    run_prune(str(tmp_path / "repository"), [], retention, datetime.now(UTC), dry_run=True, here=here)
    assert sorted(asked) == ["1001@a", "1001@b"], "what the settings say of each holds for its shelf"
    for company, meant in (("1002", "1001@a"), ("1001@", "1001@a")):
        done = run_cli("config", "show", "--company", company, env=env)
        assert (done.returncode, meant in done.stderr) == (10, True), done.stderr
    done = run_cli("config", "show", "--company", "1001", env=env)
    assert done.returncode == 2
    assert "1001@a" in done.stderr
    assert "1001@b" in done.stderr
    assert run_cli("config", "show", "--company", "1001@b", env=env).returncode == 0


def test_the_roots_in_another_order_are_the_same_roots(tmp_path: Path) -> None:
    flags = [word for name in ("b", "a", "c") for word in ("--sessions", str(tmp_path / name))]
    for number, name in enumerate("abc"):
        company_folder(tmp_path / name, str(2000 + number), registrationId=11 + number)
    assert watched(flags).keys() == {"2000", "2001", "2002"}
    # An earlier pass knows it: it is gone, and was not forgotten with the order of the roots.
    shutil.rmtree(tmp_path / "a" / "company_2000")
    assert watched(flags[2:4] + flags[4:] + flags[:2])["2000"] == (str(tmp_path / "a" / "company_2000"), True)


def test_the_hints_of_what_is_about_one_name_the_same_roots(tmp_path: Path) -> None:
    roots = []
    for name in ("a", "b"):
        company_folder(tmp_path / name, name)
        roots += ["--sessions", str(tmp_path / name)]
    for words, hint in ((["inspect"], "status"), (["silence", "--end"], "silence --list")):
        done = run_cli(*words, *roots)
        assert done.returncode == 2
        assert f"baileys-tools {hint} {' '.join(roots)}" in done.stderr


def test_session_folders_that_stand_deeper_are_told_of_in_any_root(tmp_path: Path) -> None:
    empty, deep = tmp_path / "empty", tmp_path / "deep"
    empty.mkdir()
    roots = ["--sessions", str(empty), "--sessions", str(deep)]
    deep.mkdir()
    nothing = run_cli("status", *roots)
    assert f"baileys-tools sessions {' '.join(roots)}" in nothing.stderr
    company_folder(deep / "bots" / "auth_info", None)
    done = run_cli("status", *roots)
    assert done.returncode == 10
    assert f"baileys-tools status --sessions {deep}/bots/auth_info" in done.stderr
    assert f"settings that keep it: baileys-tools sessions {' '.join(roots)}\n" in done.stderr


def test_a_hint_that_names_some_of_what_stands_deeper_says_so_and_what_tells_all(tmp_path: Path) -> None:
    for way in ("a/auth", "b/c/session", "d/e/f/login"):
        company_folder(tmp_path / way, None)
    roots = ["--sessions", str(tmp_path)]
    assert "3 session folders stand deeper. Name them with a pattern: " in run_cli("status", *roots).stderr
    company_folder(tmp_path / "g" / "h" / "wa", None)
    done = run_cli("status", *roots)
    assert "4 session folders stand deeper. Name them with a pattern, here 3 of them: " in done.stderr
    *_, last = done.stderr.splitlines()
    told = run_cli(*last.partition("baileys-tools ")[2].split())
    assert told.stdout.count('"path"') == 1
    assert all(way in told.stdout for way in ("a/auth", "b/c/session", "d/e/f/login", "g/h/wa"))
