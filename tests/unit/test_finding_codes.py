"""The codes of findings: what the code gives, what the list says and what the documentation explains are the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from baileys_tools.finding_codes import CODES
from baileys_tools.findings import Severity
from tests.house import the_house

pytestmark = pytest.mark.xdist_group("trees of the package")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/findings.md").read_text()


FORETOLD = {"process-down", "restart-burst"}
"""Codes that have their name before the part that gives them."""


def test_the_documentation_has_one_section_for_each_code_and_no_other() -> None:
    documented = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(f"`{code}`" for code in CODES)


def test_each_section_begins_with_its_severities_and_names_the_worst() -> None:
    for code, text in sections().items():
        paragraph = text.strip().split("\n\n")[0]
        first = re.split(r"[ .,]", paragraph, maxsplit=1)[0]
        assert first in list(Severity), f"{code} begins with {first!r}"
        assert re.search(rf"\b{CODES[code].worst}\b", paragraph), f"{code} can be {CODES[code].worst}"


def test_every_code_that_is_given_is_in_the_list() -> None:
    unknown = {where: code for where, code in given() if code not in CODES}
    assert unknown == {}


def test_every_code_of_the_list_is_given_somewhere() -> None:
    constants = {
        node.value
        for path, tree in the_house().parsed()
        if path.name != "finding_codes.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [code for code in CODES if code not in constants | FORETOLD] == []


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_a_plain_name_with_a_meaning_in_one_line(code: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert CODES[code].worst in list(Severity)
    assert CODES[code].meaning.endswith(".")
    assert len(CODES[code].meaning) <= 90


def sections() -> dict[str, str]:
    parts = re.split(r"^##? (.+)$", PAGE, flags=re.MULTILINE)
    return {
        heading.strip("`"): text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        if heading.startswith("`")
    }


def given() -> Iterator[tuple[str, str]]:
    """Where `Finding(...)` is called with a text as its code, and that code."""
    for path, tree in the_house().parsed():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"):
                continue
            named = [word.value for word in node.keywords if word.arg == "code"]
            for code in (*node.args[:1], *named):
                if isinstance(code, ast.Constant):
                    yield f"{path.name}:{node.lineno}", str(code.value)


def test_the_search_for_codes_finds_the_common_ones() -> None:
    assert {"file-count", "foreign-owner", "snapshot-damaged"} <= {code for _, code in given()}
