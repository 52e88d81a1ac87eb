"""Sessions by phone number, from before Baileys 7: what their removal costs, and that an undo does no harm. Measured
with the real client (numbers_contract.mjs).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.real_client import run_script
from tests.contract.test_older_keys import versions
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]


def measured(version: str, story: str, home: Path) -> Any:
    words = ["--baileys", version, "--story", story, "--tool", str(COMMAND)]
    return json.loads(run_script("numbers_contract.mjs", *words, home=home, timeout=500))


@versions("baileys7")
def test_after_an_undo_everybody_who_talked_meanwhile_talks_on(tmp_path: Path, version: str) -> None:
    found = measured(version, "undone", tmp_path)
    assert len(found["removed"]) >= 5
    assert found["meanwhile"] == found["failed"] == {}
    (company,) = json.loads(found["undo"])["companies"]
    outcomes = {one["file"]: one["outcome"] for one in company["files"]}
    # Baileys 6 moves nothing: to it a contact by LID is another one.
    expected = "lid-twin" if version == "baileys7" else "back"
    for number in found["removed"]:
        assert outcomes[f"session-{number}.0.json"] == expected
        assert (f"session-{number}.0.json" in found["folder"]) == (version == "baileys6")


@versions("baileys6")
def test_a_session_by_number_without_a_mapping_is_missed(tmp_path: Path, version: str) -> None:
    found = measured(version, "unmapped", tmp_path)
    assert len(found["removed"]) >= 5
    assert sorted(found["failed"]) == sorted(found["removed"])
    (company,) = json.loads(found["cleanup"])["companies"]
    assert company["plan"]["cost"]["contacts"] >= len(found["removed"])
