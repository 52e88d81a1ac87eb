"""What this tool says of records is what the real Baileys does: names of files, and forms of Buffers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from baileys_tools.sessions.rules.records import (
    Form,
    RecordName,
    canonical,
    file_name,
    in_form,
    meaning,
    record_of,
)
from tests.contract.real_client import HERE, require_node
from tests.support import scrubbed_environment
from tests.unit.sessions.test_records import PAIRS

pytestmark = pytest.mark.contract

READ = {
    "6": {"base64": True, "array": True, "index": False},
    "7": {"base64": True, "array": False, "index": True},
}


@pytest.mark.parametrize("version", ["6", "7"])
def test_names_and_forms_are_those_of_the_real_client(tmp_path: Path, version: str) -> None:
    pairs = [(type_, key_id) for type_, key_id, _ in PAIRS]
    done = subprocess.run(
        [require_node(), HERE / "records_contract.mjs", tmp_path / "session", version],
        input=json.dumps(pairs),
        env=scrubbed_environment({"HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    files = {name: RecordName(*pair) for name, pair in answer["files"].items()}
    assert len(files) == len(PAIRS)
    for name, record in files.items():
        assert file_name(record) == name
        assert record_of(name) == record
    assert answer["read"] == READ[version], "base64 alone is read by both versions"
    written, plain = answer["written"].encode(), answer["plain"].encode()
    assert canonical(written) == written
    assert canonical(plain) == written, "what plain JSON made of it is written as Baileys does"
    assert in_form(written, Form.ARRAY) == plain
    assert meaning(plain) == meaning(written)
