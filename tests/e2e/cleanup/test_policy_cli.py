"""`baileys-tools policy try` as an operator meets it."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

from baileys_tools.state.database import FILE
from tests.e2e.cleanup.test_cleanup_cli import GROUP, checked_json
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, snapshot_tree

PEERS = {f"sender-key-{GROUP}--49170000000{n:02}--0.json": timedelta(hours=30 * n) for n in range(10)}


def test_it_says_what_each_rule_would_have_cost_and_touches_nothing(tmp_path: Path) -> None:
    root, env = tmp_path / "sessions", {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
    company_folder(root, "1001", {"session-4917000000001.0.json": timedelta(hours=1)} | PEERS)
    first = run_cli("policy", "try", "--sessions", root, env=env)
    assert (first.returncode, first.stderr) == (0, "")
    assert "nothing is known yet of when the keys are used" in first.stdout
    assert run_cli("cleanup", "--sessions", root, env=env).returncode == 0
    age_the_memory(tmp_path / "state", 30)
    before = snapshot_tree(root)
    told = run_cli("policy", "try", "--sessions", root, "--days", "21", "--json", env=env)
    document = checked_json(told.stdout, "policy-try")
    assert document["days"] == 21
    assert document["rules"][0]["settings"] == {}
    assert document["rules"][0]["in_force"]
    assert {rule["past"]["chats"] for rule in document["rules"]} == {0}
    shown = run_cli("policy", "try", "--sessions", root, env=env).stdout
    assert "a cleanup a day for the last 30 days" in shown
    assert max(map(len, shown.splitlines()[1:])) <= 80, shown
    lines = shown.splitlines()
    head = next(number for number, line in enumerate(lines) if line.lstrip().startswith("rule "))
    rows = lines[head : head + 1 + len(document["rules"])]
    assert len(set(map(len, rows))) == 1, "each number stands below its heading"
    assert snapshot_tree(root) == before


def age_the_memory(state: Path, days: int) -> None:
    """Make what is remembered begin so many days ago."""
    with sqlite3.connect(state / FILE) as database:
        ((text,),) = database.execute("SELECT value FROM memory WHERE key = 'uses'").fetchall()
        since, *rest = json.loads(text)
        text = json.dumps([since - days * 1440, *rest])
        database.execute("UPDATE memory SET value = ? WHERE key = 'uses'", (text,))


def test_it_is_about_one_company_whose_creds_can_be_read(tmp_path: Path) -> None:
    for name in ("1001", "1002"):
        company_folder(tmp_path, name, {})
    assert run_cli("policy", "try", "--sessions", tmp_path).returncode == 2
    (tmp_path / "company_1002" / "creds.json").write_text("")
    assert run_cli("policy", "try", "--sessions", tmp_path, "--company", "1002").returncode == 13
    assert (
        run_cli("policy", "try", "--sessions", tmp_path, "--company", "1001", "--days", "0").returncode == 2
    )
