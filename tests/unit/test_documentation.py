"""The documentation names what exists: links, headings, tests, commands and their options; and a page's lines run."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from baileys_tools.cli.manpage import all_commands
from baileys_tools.config.schema import SCHEMA
from baileys_tools.finding_codes import CODES, NOTICE
from baileys_tools.layouts import LAYOUTS
from baileys_tools.watching.looking import STANDING_CODES
from tests.support import COMMAND, scrubbed_environment

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]
)
page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ +(.+?) *$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        place, _, anchor = target.partition("#")
        if "://" in place:
            continue
        file = (page.parent / place) if place else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text())
        waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert [path.name for path in PAGES if path not in reached] == ["README.md"]
    assert "(docs/index.md)" in (ROOT / "README.md").read_text()


OPTIONS = {
    name: {option for part in command.params for option in part.opts} for name, command, _ in all_commands()
}
"""Every command, `cron install` as two words, with its options."""


def test_every_flag_of_a_setting_is_an_option_of_some_command() -> None:
    options = {option for part in OPTIONS.values() for option in part} | {
        option
        for _, command, _ in all_commands()
        for part in command.params
        for option in part.secondary_opts
    }
    flags = {flag for found in SCHEMA.settings.values() for flag in found.flag.split("/") if flag}
    assert flags - options == set()


def test_every_command_stands_in_the_readme_and_its_json_has_a_schema() -> None:
    readme = (ROOT / "README.md").read_text()
    told = set(re.findall(r"(?:`|baileys-tools +)([a-z][a-z-]*)", readme))
    names = [name for name, command, _ in all_commands() if not hasattr(command, "commands")]
    assert [name for name in names if name.split()[0] not in told] == []
    schemas = {path.name.partition(".")[0] for path in (ROOT / "docs" / "json").glob("*.schema.json")}
    without = {
        name
        for name in names
        if "--json" in OPTIONS[name] and not {name.replace(" ", "-"), name.split()[0]} & schemas
    }
    assert without == set()


def test_what_the_runbook_stars_is_told_by_no_pass() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    starred = set(re.findall(r"\[`([a-z-]+)`\]\([^)]*\)\*", runbook))
    assert starred
    assert starred & STANDING_CODES == set()


def test_every_layout_stands_in_its_page_and_in_a_test() -> None:
    page = (ROOT / "docs" / "layouts.md").read_text()
    tests = (ROOT / "tests" / "integration" / "sessions" / "test_layouts.py").read_text()
    for name in LAYOUTS:
        assert f"layout: {name}}}" in page, name
        assert f'"layout": "{name}"' in tests, name


@page
def test_every_command_can_be_typed(page: Path) -> None:
    """Each `baileys-tools ...` names a command that exists, with options that it has."""
    for text in re.findall(r"baileys-tools +([a-z][^`\n|#>&;)]*)", page.read_text()):
        words = text.split("  ")[0].replace("'", " ").split()
        command = " ".join(words[:2]) if " ".join(words[:2]) in OPTIONS else words[0]
        given = {re.sub(r"[=.,:].*", "", word) for word in words if word.startswith("--")} - {"--", "--help"}
        if command in OPTIONS:
            assert given <= OPTIONS[command], text
        else:
            # Prose ("baileys-tools keeps ..."), or a group.
            assert not given, text


@page
def test_every_command_line_begins_with_a_command(page: Path) -> None:
    known = {name.split()[0] for name in OPTIONS}
    for word in re.findall(r"(?:^ {4}|^\$ |`)baileys-tools +([a-z][a-z-]*)", page.read_text(), re.MULTILINE):
        assert word in known, word


@pytest.mark.parametrize(("page", "at_least"), [("promises.md", 40), ("security.md", 12)])
def test_the_tests_that_a_page_names_exist(page: str, at_least: int) -> None:
    text = (ROOT / "docs" / page).read_text()
    named = set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", text))
    assert len(named) >= at_least
    for file, test in named:
        tree = ast.parse((ROOT / "tests" / file).read_text())
        found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert test in found, f"{file}::{test}"


def test_every_promise_has_a_test() -> None:
    promised = (ROOT / "docs" / "promises.md").read_text().partition("## Promised")[2].partition("## Not")[0]
    for row in re.findall(r"^\| (.+) \|$", promised, re.MULTILINE)[1:]:
        assert "::test_" in row, row


def test_every_attack_has_a_test() -> None:
    attacks = (
        (ROOT / "docs" / "security.md").read_text().partition("## Attack by attack")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| (.+) \|$", attacks, re.MULTILINE)[1:]
    assert rows
    for row in rows:
        assert "::test_" in row.rpartition(" | ")[2], row


def test_the_runbook_has_every_alert_once() -> None:
    linked = re.findall(r"findings\.md#([a-z-]+)", (ROOT / "docs" / "runbook.md").read_text())
    assert sorted(linked) == sorted(code for code, info in CODES.items() if info.worst != NOTICE)


def test_the_lines_for_ci_run(tmp_path: Path) -> None:
    text = (
        (ROOT / "docs" / "ci.md").read_text().partition("## Your policy")[2].partition("## Your crontab")[0]
    )
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert len(lines) == 3
    script = "\n".join(["set -eu", f"cd {shlex.quote(str(tmp_path))}", *lines])
    script = script.replace("/tmp/ci", f"{tmp_path}/ci").replace("fixtures/lay.py", f"{ROOT}/fixtures/lay.py")
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["sh", "-c", script], env=scrubbed_environment({"PATH": path}), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    tightened = script.replace('!= "healthy"', '== "healthy"')
    assert tightened != script
    again = subprocess.run(
        ["sh", "-c", tightened], env=scrubbed_environment({"PATH": path}), capture_output=True
    )
    assert again.returncode == 1, "the check can fail"
