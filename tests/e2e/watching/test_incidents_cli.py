"""`incidents`, from what `monitor-once` saw of a bot's API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.bot import Bot, bot_api
from tests.integration.faults.forked import run_cli
from tests.log_lines import as_bytes, pino, stream_error
from tests.support import company_folder

SCHEMA = Path(__file__).parents[3] / "docs/json/incidents.schema.json"


@pytest.fixture
def settings(tmp_path):
    company_folder(tmp_path / "sessions")
    return tmp_path / "settings.yaml"


def listed(settings: Path, *arguments: str) -> dict[str, Any]:
    run = run_cli("incidents", "--json", "--config", settings, *arguments)
    document = json.loads(run.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    return dict(document)


def test_a_lost_connection_is_an_incident_until_it_is_back(settings, tmp_path):
    log, metrics = tmp_path / "bot.log", tmp_path / "bots.prom"
    log.write_bytes(as_bytes([pino("opened connection to WA"), stream_error(7, code="503")]))
    bot = Bot(connected=True)
    with bot_api(bot) as server:
        settings.write_text(
            json.dumps(
                {
                    "sessions": {"path": str(tmp_path / "sessions")},
                    "bot_api": {"preset": "ai-admin", "url": server.url},
                    "logs": {"files": [{"path": str(log), "company": "1001"}], "reconnects_per_day": 60},
                }
            )
        )
        watch = ("monitor-once", "-q", "--config", settings, "--textfile", metrics)
        run_cli(*watch)
        assert listed(settings)["incidents"] == []
        bot.connected = False
        run_cli(*watch)
        run_cli(*watch)
        [incident] = listed(settings)["incidents"]
        assert (incident["company"], incident["closed"]) == ("1001", None)
        assert [entry["what"] for entry in incident["timeline"]] == ["seen"]
        bot.connected = True
        run_cli(*watch)
    document = listed(settings, "--company", "1001")
    [incident] = document["incidents"]
    assert incident["closed"] is not None
    [service] = document["services"]
    assert 0 < service["uptime"] < 1
    assert service["incidents"] == 1
    assert 'baileys_tools_company_uptime_ratio{company="1001"} 0.' in metrics.read_text()
    text = run_cli("incidents", "--config", settings).stdout
    assert "1001" in text and "goal 99.9%" in text and "(goal 60 at most)" in text
    report = run_cli("incidents", "--config", settings, "--markdown", str(incident["id"])).stdout
    assert report.startswith(f"# Incident {incident['id']}: company 1001")
    assert "| Cause |" in report and "## Time line" in report


def test_an_incident_that_is_not_there_is_said_so(settings):
    settings.write_text("{}")
    run = run_cli("incidents", "--config", settings, "--markdown", "7")
    assert run.returncode == 10
    assert "no incident 7" in run.stderr


def test_a_company_can_have_limits_of_its_own_for_what_its_log_tells(tmp_path):
    now = datetime.now(UTC)
    for company in ("1001", "1002"):
        company_folder(tmp_path / "sessions", company)
        openings = [
            pino("opened connection to WA", now - timedelta(minutes=5 * n), pid=n) for n in range(14, 0, -1)
        ]
        (tmp_path / f"{company}.log").write_bytes(as_bytes(openings))
    settings = tmp_path / "settings.yaml"
    asked = {
        "sessions": {"path": str(tmp_path / "sessions")},
        "logs": {"files": [f"{tmp_path}/{{company}}.log"]},
        "templates": {"flapping": {"logs": {"reconnects_per_day": 60}}},
        "companies": {"1002": {"use": "flapping"}},
    }
    settings.write_text(json.dumps(asked))
    where = ("--config", settings)

    document = json.loads(run_cli("monitor-once", "--json", *where).stdout)
    flapping = {
        one["company"]: [said["code"] for said in one["findings"] if "reconnects" in said["message"]]
        for one in document["companies"]
    }
    assert flapping == {"1001": ["reconnects-many"], "1002": []}
    for company in ("1001", "1002"):
        said = run_cli("logs", "--company", company, *where).stdout
        assert ("more than 10" in said) == (company == "1001")
        goal = {"1001": 10, "1002": 60}[company]
        assert f"(goal {goal} at most)" in run_cli("incidents", "--company", company, *where).stdout
    asked["companies"] = {"1002": {"logs": {"files": ["/srv/bot.log"]}}}
    settings.write_text(json.dumps(asked))
    assert "logs.files: it is one for all companies" in run_cli("config", "check", *where).stderr
