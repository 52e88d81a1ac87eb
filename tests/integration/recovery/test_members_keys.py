"""A restore of creds that lack `me.lid`: the keys of members are told from the bot's own by their records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baileys_tools.sessions.rules.senderkeys import holds_private_key
from fixtures.lay import lay
from tests.integration.faults.forked import run_cli


@pytest.mark.parametrize("name", ["fresh-v7", "long-lived-v7"])
def test_no_members_key_is_set_aside_or_left_out_with_the_bots_own(name: str, tmp_path: Path) -> None:
    lay(name, tmp_path / "sessions", datetime.now(UTC))
    (folder,) = (tmp_path / "sessions").glob("company_*")
    creds = json.loads((folder / "creds.json").read_text())
    del creds["me"]["lid"]
    (folder / "creds.json").write_text(json.dumps(creds))
    env = {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    keys = {path.name: path.read_bytes() for path in folder.glob("sender-key-*") if "memory" not in path.name}
    (folder / "creds.json").write_bytes(b"")
    for memory in folder.glob("sender-key-memory-*"):
        memory.write_bytes(b"")
    done = run_cli(
        "restore", "--dry-run", "--json", "--company", folder.name.removeprefix("company_"), env=env
    )
    plan = json.loads(done.stdout)["plan"]
    goes = {one["file"] for one in plan["files"] if one["action"] in ("set-aside", "leave-out")}
    assert goes & set(keys)
    assert [key for key in goes & set(keys) if not holds_private_key(keys[key])] == []
