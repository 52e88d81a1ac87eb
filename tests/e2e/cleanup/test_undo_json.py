"""What `undo --json` says keeps to its schema, whatever somebody put into the quarantine."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema

from tests.integration.faults.forked import run_cli
from tests.support import company_folder

SCHEMA = Path(__file__).parents[3] / "docs/json/undo.schema.json"


def test_a_link_in_the_quarantine_is_an_outcome_that_the_schema_knows(tmp_path: Path) -> None:
    old = {"session-447700900100.0.json": timedelta(days=40)}
    folder = company_folder(tmp_path / "sessions", keys=old)
    env = {"BAILEYS_SESSIONS_PATH": str(folder.parent)}
    assert run_cli("cleanup", "--quiet", env=env).returncode == 0
    (run,) = (folder / ".baileys-tools/quarantine").iterdir()
    (run / "session-447700900101.0.json").symlink_to("/etc/passwd")
    document = json.loads(run_cli("undo", "--json", env=env).stdout)
    outcomes = {one["file"]: one["outcome"] for one in document["companies"][0]["files"]}
    assert outcomes == {"session-447700900100.0.json": "back", "session-447700900101.0.json": "foreign"}
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
