"""What `migrate` leaves behind: the old place has lost nothing, and nothing brings its creds back there."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.lay import lay
from tests.integration.faults.forked import run_cli


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    lay("single", tmp_path / "bots" / "shop", datetime.now(UTC) - timedelta(hours=1))
    table = sqlite3.connect(tmp_path / "own.db")
    table.execute("CREATE TABLE kv (k text PRIMARY KEY, v text, stamp text)")
    table.close()
    (tmp_path / "own.db").chmod(0o600)
    own = {
        "store": f"sqlite://{tmp_path}/own.db",
        "table": "kv",
        "prefix": "wa/{tenant}/",
        "key": "k",
        "value": "v",
    }
    own |= {"codec": "json", "creds": "me", "time": "stamp"}
    path = tmp_path / "settings.yaml"
    path.write_text(
        json.dumps(
            {
                "sessions": {"roots": [f"{tmp_path}/bots", own]},
                "backup": {"path": f"{tmp_path}/repo"},
                "state": {"dir": f"{tmp_path}/state"},
            }
        )
    )
    return path


def codes(settings: Path, company: str) -> set[str]:
    seen = json.loads(run_cli("monitor-once", "--json", "--config", settings).stdout)["companies"]
    return {said["code"] for one in seen if one["company"] == company for said in one["findings"]}


def moved(settings: Path, company: str, to: str) -> str:
    done = run_cli("migrate", "--company", company, "--to", to, "--yes", "--json", "--config", settings)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["run"])


def test_the_old_folder_is_told_as_moved_and_its_creds_come_back_by_undo_alone(
    tmp_path: Path, settings: Path
) -> None:
    old, where = tmp_path / "bots" / "shop", ("--config", settings)
    assert codes(settings, "shop") <= {"own-key-without-memory", "keys-readable-by-all", "snapshot-missing"}
    assert run_cli("backup", *where).returncode == 0
    run = moved(settings, "shop", f"sqlite://{tmp_path}/own.db")
    assert codes(settings, "shop@bots") == {"session-moved"}
    assert "session-moved" not in codes(settings, "shop@own.db")
    recovered = json.loads(run_cli("recover", "--yes", "--json", "--company", "shop@bots", *where).stdout)
    assert [(one["status"], one["steps"]) for one in recovered["companies"]] == [("moved", [])]
    for words in (["--yes"], ["--dry-run"]):
        refused = run_cli("restore", "--company", "shop@bots", *words, *where)
        assert (refused.returncode, "two owners" in refused.stderr) == (13, True)
    assert not (old / "creds.json").exists()
    assert run_cli("undo", "--run", run, "--company", "shop@bots", *where).returncode == 0
    # Back here, it is a session as any other, and its loss is one.
    (old / "creds.json").unlink()
    assert "creds-missing" in codes(settings, "shop@bots")
    assert run_cli("restore", "--company", "shop@bots", "--dry-run", *where).returncode == 0


def test_where_creds_stand_again_a_later_loss_is_one(tmp_path: Path, settings: Path) -> None:
    old = tmp_path / "bots" / "shop"
    kept = (old / "creds.json").read_bytes()
    moved(settings, "shop", str(tmp_path / "new"))
    assert codes(settings, "shop") == {"session-moved"}
    (old / "creds.json").write_bytes(kept)
    os.utime(old / "creds.json", (0, 0))
    assert "session-moved" not in codes(settings, "shop")
    (old / "creds.json").unlink()
    assert "creds-missing" in codes(settings, "shop")


def test_a_session_of_a_store_that_was_moved_is_not_told_as_lost(tmp_path: Path, settings: Path) -> None:
    moved(settings, "shop", f"sqlite://{tmp_path}/own.db")
    codes(settings, "shop@own.db")
    moved(settings, "shop@own.db", str(tmp_path / "new"))
    assert codes(settings, "shop@own.db") == {"session-moved"}


def test_the_code_for_a_table_of_ones_own_is_not_that_of_a_folder(tmp_path: Path, settings: Path) -> None:
    for to, word in (
        (f"sqlite://{tmp_path}/own.db", "a mapping of your own"),
        (f"{tmp_path}/new", "MultiFile"),
    ):
        done = run_cli(
            "migrate", "--company", "shop", "--to", to, "--dry-run", "--json", "--config", settings
        )
        assert word in " ".join(json.loads(done.stdout)["code"])


def test_the_way_back_into_the_old_folder_is_said_and_goes(tmp_path: Path, settings: Path) -> None:
    old = tmp_path / "bots" / "shop"
    moved(settings, "shop", f"sqlite://{tmp_path}/own.db")
    codes(settings, "shop@own.db")
    back = ("migrate", "--to", str(old), "--yes", "--config", str(settings))
    refused = run_cli(*back, "--company", "shop@own.db")
    aside = f"mv {old} {tmp_path}/bots/.shop.old"
    assert (refused.returncode, aside in refused.stderr) == (13, True)
    os.rename(*aside.split()[1:])
    # The name is the store's alone, as long as nothing stands in the folder.
    done = run_cli(*back, "--company", "shop")
    assert done.returncode == 0, done.stderr
    assert (old / "creds.json").exists()
    assert "session-moved" not in codes(settings, "shop") | codes(settings, "shop@bots")
