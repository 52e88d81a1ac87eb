"""What a root says of its companies beside where they are: their name, and that `sessions` proposes none of it away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.layouts import RootSpec, SessionsPath
from baileys_tools.sessions.roots import Root
from tests.integration.faults.forked import run_cli
from tests.integration.sessions.test_layouts import bare, found


def settings(path: Path, *roots: dict[str, Any]) -> list[str]:
    path.write_text(json.dumps({"sessions": {"roots": roots}}))
    return ["--config", str(path)]


def proposed(words: list[str]) -> list[Any]:
    """Return the roots that `sessions` says to put into the settings file."""
    lines = [line.strip() for line in run_cli("sessions", *words).stdout.splitlines()]
    return [json.loads(line[2:]) for line in lines if line.startswith("- ")]


def ids(words: list[str]) -> set[str]:
    return {one["id"] for one in json.loads(run_cli("sessions", *words, "--json").stdout)["companies"]}


def test_what_is_proposed_finds_what_was_found_before_under_its_name_and_the_rest(tmp_path: Path) -> None:
    for folder in ("r/bot-1/auth", "r/old/auth", "l/own", "l/own/kids/7", "away/x"):
        bare(tmp_path / folder)
    (tmp_path / "l" / "linked").symlink_to("../away/x")
    words = settings(
        tmp_path / "a.yaml",
        {"path": str(tmp_path / "r"), "folders": ["bot-*/auth"], "name": "B{1}"},
        {"path": str(tmp_path / "l"), "folders": ["*", "*/kids/*"], "follow_links": True},
        {"store": f"sqlite:///{tmp_path}/none/*.db", "preset": "baileys-sqlite"},
    )
    before = ids(words)
    assert before == {"B1", "own", "own-7", "linked"}
    more = proposed(words)
    assert more[-1] == {"store": f"sqlite:///{tmp_path}/none/*.db", "preset": "baileys-sqlite"}
    again = settings(tmp_path / "b.yaml", *more)
    assert ids(again) == before | {"auth"}
    assert proposed(again) == []


def test_a_pattern_on_the_command_line_stays_in_what_is_proposed(tmp_path: Path) -> None:
    for folder in ("r/bot-1/auth", "r/bot-2/auth", "one", "one/kids/7"):
        bare(tmp_path / folder)
    words = ["--sessions", f"{tmp_path}/r/*/auth", "--sessions", f"{tmp_path}/one"]
    before = ids(words)
    again = settings(tmp_path / "b.yaml", *proposed(words))
    assert ids(again) == before | {"7"}


def test_what_two_roots_lead_to_is_proposed_once(tmp_path: Path) -> None:
    for folder in ("r/a/auth", "r/b/state", "r/c/other"):
        bare(tmp_path / folder)
    words = ["--sessions", f"{tmp_path}/r/*/auth", "--sessions", f"{tmp_path}/r/*/state"]
    told = json.loads(run_cli("sessions", *words, "--json").stdout)
    assert [(one["pattern"], one["companies"]) for one in told["proposed"]] == [("c/other", 1)]
    assert json.loads(run_cli("status", *words, "--json").stdout)["not_looked_after"] == 1


def test_a_root_without_patterns_has_its_name(tmp_path: Path) -> None:
    one, many, tenants = tmp_path / "one" / "auth", tmp_path / "many", tmp_path / "tenants"
    for folder in (one, one / "kids" / "7", many / "a", many / "b", tenants / "company_1"):
        bare(folder)
    named = SessionsPath(
        RootSpec(str(one), name="alice"),
        RootSpec(str(many), name="shop-{1}"),
        RootSpec(str(tenants), name="t{1}"),
    )
    assert found(named) == {
        "alice": str(one),
        "shop-a": str(many / "a"),
        "shop-b": str(many / "b"),
        "t1": str(tenants / "company_1"),
    }
    one.rename(tmp_path / "gone")
    with Root(SessionsPath(RootSpec(str(one), name="alice")), keep_lost=True) as root:
        assert [company.id for company in root.companies(known=[str(one)])] == ["alice"]


@pytest.mark.parametrize(
    ("folders", "name", "told"),
    [(["bot-?/auth"], "x{1}", True), (["*/auth"], "x{2}", True), (["auth", "*/auth"], "{1}", False)],
)
def test_a_star_in_a_name_that_no_pattern_has_is_told(
    tmp_path: Path, folders: list[str], name: str, told: bool
) -> None:
    bare(tmp_path / "r" / "bot-1" / "auth")
    words = settings(tmp_path / "a.yaml", {"path": str(tmp_path / "r"), "folders": folders, "name": name})
    assert ("means nothing" in run_cli("config", "check", *words).stdout) == told


def test_a_company_whose_folder_has_a_space_can_be_named(tmp_path: Path) -> None:
    bare(tmp_path / "bot 1" / "auth")
    assert list(found(f"{tmp_path}/bot*/auth")) == ["1"]


def test_what_other_programs_keep_is_told_as_deep_as_sessions_are_proposed(tmp_path: Path) -> None:
    bare(tmp_path / "apps" / "a" / "data" / "auth")
    (tmp_path / "apps" / "b" / ".wwebjs_auth" / "session-x" / "Default").mkdir(parents=True)
    told = json.loads(run_cli("sessions", "--sessions", tmp_path, "--json").stdout)
    assert [one["pattern"] for one in told["proposed"]] == ["apps/a/data/auth"]
    assert any(
        one["path"].endswith("session-x") and "whatsapp-web.js" in one["why"] for one in told["passed_by"]
    )
