"""`support-bundle`: what helps is in it, and of all that was planted in every place that it reads, nothing."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.watching.kept_incidents import add_entry, open_incident
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, write_key

NUMBER = "4917012345678"
LID = "270996591579169"
COMPANIES = ("canarybakery", "shop", "erna-schmidt")
"""One in no page, one that is a word of the pages, one of two words."""


@pytest.fixture
def host(tmp_path: Path) -> dict[str, str]:
    """A host with a secret or a name in every place that the bundle reads; return its environment."""
    root = tmp_path / "home/ernacanary/botsofcanary"
    me = {"id": f"{NUMBER}:3@s.whatsapp.net", "lid": f"{LID}:3@lid", "name": "Ernacanary Schmidt"}
    for company in COMPANIES:
        folder = company_folder(root, company)
        (folder / "creds.json").write_text(json.dumps(creds(me=me)))
        write_key(folder, f"session-{NUMBER}.0.json", timedelta(days=20), '{"x": "canarysessionkey"}')
        write_key(folder, f"lid-mapping-{NUMBER}.json", content=f'"{LID}"')
        write_key(folder, "notes-of-ernacanary.txt", content="canarynotes")
    (root / "company_shop/creds.json").write_text('{"noiseKey": "canarytornkey')
    now = datetime.now(UTC)
    said = {"level": 50, "time": f"{now:%Y-%m-%dT%H:%M:%S.000Z}", "jid": f"{NUMBER}@s.whatsapp.net"}
    lines = ("connected to WA", "Bad MAC canarylogline", "stream errored out", "logging in canarylogline")
    (tmp_path / "ernacanary-shop.log").write_text(
        "".join(json.dumps(said | {"msg": line}) + "\n" for line in lines)
    )
    file = tmp_path / "settings-of-canary.yaml"
    file.touch(mode=0o600)
    file.write_text(
        "bot_api:\n  url: http://127.0.0.1:9/canaryurl\n  name: canarysetting\n  timeout: 1s\n"
        "  status: GET /s/{company}\n"
        f"  headers: 'X-Key: canaryheader99'\nlogs:\n  files: ['{tmp_path}/ernacanary-{{company}}.log']\n"
        "notify:\n  host: canarynotifyhost\n"
        f"backup:\n  copies: ['sftp://canaryuser@127.0.0.1:9/srv/canaryplace', 'file://{tmp_path}/canarydisk']\n"
        "copies: {timeout: 1s}\n"
        "serve: {names: [canaryname.example]}\n"
        "templates:\n  canarytemplate:\n    cleanup: {until: 160}\n"
        "companies:\n  shop:\n    use: canarytemplate\n    process: {pm2: canaryprocess}\n"
    )
    state = tmp_path / "state-of-canary"
    with open_state(str(state), now) as opened:
        number = open_incident(opened, "canarybakery", "creds-lost", now)
        add_entry(opened, number, "tried", f"canaryentry: {NUMBER} at https://canaryentry.example/x", now)
    return {
        "BAILEYS_TOOLS_CONFIG": str(file),
        "BAILEYS_SESSIONS_PATH": str(root),
        "BAILEYS_TOOLS_STATE_DIR": str(state),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "canaryrepository"),
        "TELEGRAM_BOT_TOKEN": "123456:AAcanary-telegram-0123456789abcdef",
        "TELEGRAM_CHAT_ID": "-100987654321",
        "BAILEYS_TOOLS_PING__URL": "http://127.0.0.1:9/canaryping0123/{command}",
        "USER": "ernacanary",
        "CANARY_OF_MINE": "canaryvariable",
    }


SECRET = (
    "canary",
    "erna",
    "schmidt",
    NUMBER,
    LID,
    NUMBER[2:],
    "987654321",
    "Y2FuYXJ5",
    "whatsapp.net",
    "bakery",
)


def assert_nobodys(text: str, tmp_path: Path) -> None:
    assert [one for one in (*SECRET, str(tmp_path), tmp_path.name) if one.lower() in text.lower()] == []
    name = socket.gethostname()
    assert len(name) < 3 or name not in text
    assert text.isascii()


def test_of_all_that_is_planted_nothing_is_told(host: dict[str, str], tmp_path: Path) -> None:
    assert run_cli("cleanup", env=host).returncode in (0, 3)
    assert run_cli("monitor-once", "--no-notify", env=host).returncode in (4, 5)
    untold = {name: value for name, value in host.items() if not name.startswith("TELEGRAM")}
    assert run_cli("backup", env=untold).returncode in (1, 3, 4)
    (tmp_path / "canaryrepository").chmod(0o755)
    assert run_cli("copies", "check", env=untold).returncode in (1, 3, 4)
    assert run_cli("doctor", "--fix", env=untold | {"PATH": "/nonexistent"}).returncode in (4, 5)
    assert run_cli("report", "--quiet", env=untold).returncode in (0, 3)
    done = run_cli("support-bundle", env=host)
    assert done.returncode == 0, done.stderr
    assert_nobodys(done.stdout + done.stderr, tmp_path)
    assert "shop" not in done.stdout, "a company's name, also where it is a word of the pages"
    for part in ("## Versions", "## Settings", "## Doctor", "## Folders", "## Runs", "## Incidents"):
        assert part in done.stdout
    for fact in (
        "- templates.t1.cleanup.until: 160 (file)",
        "- notify.telegram_bot_token: (given) (environment)",
        "- by_kind: ",
        "creds-unreadable",
        "cleanup: exit code",
        "monitor-once: exit code",
        "creds-lost, 20",
        "copies check: exit code",
        "doctor: exit code",
    ):
        assert fact in done.stdout, (fact, done.stdout)

    run = run_cli("support-bundle", "--json", env=host)
    assert_nobodys(run.stdout, tmp_path)
    document: dict[str, Any] = json.loads(run.stdout)
    assert document["command"] == "support-bundle"
    assert document["census"]["companies"] == 3
    assert document["census"]["by_kind"]["lid-mapping"] == 3
    assert {one["company"] for one in document["companies"]} == {"c1", "c2", "c3"}
    assert any(one["log_events"] for one in document["companies"])
    import jsonschema

    schema = Path(__file__).parents[3] / "docs/json/support-bundle.schema.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(document)


def test_it_is_written_for_its_owner_alone_and_over_nothing_of_others(
    host: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "support.md"
    for _ in range(2):
        done = run_cli("support-bundle", "--output", out, env=host)
        assert done.returncode == 0, done.stderr
        assert out.stat().st_mode & 0o777 == 0o600
        assert_nobodys(out.read_text(), tmp_path)
    out.write_text("mine")
    assert run_cli("support-bundle", "--output", out, env=host).returncode == 2
    assert out.read_text() == "mine"
    inside = tmp_path / "home/ernacanary/botsofcanary/company_shop/support.md"
    assert run_cli("support-bundle", "--output", inside, env=host).returncode == 2
    assert not inside.exists()


def test_broken_settings_are_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.touch(mode=0o600)
    file.write_text("cleanup: {sesion_max_age: canary}\nbackup: {path: [canarypath]}\n")
    done = run_cli("support-bundle", "--config", file)
    assert done.returncode == 0, done.stderr
    assert "## What could not be looked at" in done.stdout
    assert "canary" not in done.stdout
    assert "backup.path" in done.stdout


def test_one_company_and_none_of_that_name(host: dict[str, str], tmp_path: Path) -> None:
    done = run_cli("support-bundle", "--company", "shop", env=host)
    assert done.returncode == 0
    assert "### c" in done.stdout
    assert "companies: 1\n" in done.stdout
    assert_nobodys(done.stdout, tmp_path)
    done = run_cli("support-bundle", "--company", "shopp", env=host)
    assert done.returncode == 10
    assert "did you mean" in done.stderr


def test_without_any_sessions_the_rest_is_told() -> None:
    done = run_cli("support-bundle", env={"HOME": os.environ["HOME"]})
    assert done.returncode == 0, done.stderr
    assert "- census: " in done.stdout
    assert "## Doctor" in done.stdout
