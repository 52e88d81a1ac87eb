"""Sessions by phone number, from before Baileys 7: what their removal costs, and that an undo does no harm. Measured
with the real client (numbers_contract.mjs).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import COMMAND, missing, require_tool, scrubbed_environment

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
GENERATE = HERE.parents[1] / "fixtures" / "generate"


def measured(version: str, story: str, home: Path) -> Any:
    node = require_tool("node")
    if not (GENERATE / "node_modules").exists():
        missing("the Baileys packages (make test installs them)")
    words = ["--baileys", version, "--story", story, "--tool", str(COMMAND)]
    finished = subprocess.run(
        [node, HERE / "numbers_contract.mjs", *words],
        env=scrubbed_environment({"HOME": str(home), "BAILEYS_TOOLS_STATE_DIR": str(home / "state")}),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("version", ["baileys6", "baileys7"])
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


@pytest.mark.parametrize("version", ["baileys6", "baileys7"])
def test_a_session_by_number_without_a_mapping_is_missed(tmp_path: Path, version: str) -> None:
    found = measured(version, "unmapped", tmp_path)
    assert len(found["removed"]) >= 5
    assert sorted(found["failed"]) == sorted(found["removed"])
    (company,) = json.loads(found["cleanup"])["companies"]
    assert company["plan"]["cost"]["contacts"] >= len(found["removed"])
