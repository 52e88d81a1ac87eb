"""Templates as a person meets them: `config show --company`, a dry run, a pass of the monitor and its alerts agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Server, answering
from tests.support import company_folder

HOUR = timedelta(hours=1)


@pytest.fixture
def busy() -> Iterator[Server]:
    with answering(lambda _: Reply({})) as server:
        yield server


@pytest.fixture
def all_others() -> Iterator[Server]:
    with answering(lambda _: Reply({})) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, busy: Server, all_others: Server) -> list[str]:
    """Two folders alike, `shop-1` by a template and `1001` by the defaults, and one without its login."""
    young = {f"session-49170{one}.0.json": HOUR for one in range(30)}
    old = {f"session-49171{one}.0.json": timedelta(days=10) for one in range(5)}
    for number, company in enumerate(("shop-1", "1001")):
        company_folder(tmp_path / "sessions", company, young | old, registrationId=11 + number)
    (company_folder(tmp_path / "sessions", "1002", registrationId=13) / "creds.json").write_bytes(b"")
    settings = {
        "sessions": {"path": str(tmp_path / "sessions")},
        "state": {"dir": str(tmp_path / "state")},
        "notify": {"webhook": f"{all_others.url}/all"},
        "templates": {
            "busy": {
                "thresholds": {"warning": 10, "critical": 15, "trigger": 20, "emergency": 25, "danger": 900},
                "cleanup": {"session_max_age": "8d"},
                "notify": {"webhook": f"{busy.url}/busy"},
            }
        },
        "companies": {"shop-*": {"use": "busy"}},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    return ["--config", str(tmp_path / "config.yaml")]


def test_what_a_template_says_holds_wherever_a_person_looks(
    config: list[str], busy: Server, all_others: Server
) -> None:
    def in_force(company: str, setting: str) -> tuple[object, bool]:
        shown = json.loads(run_cli("config", "show", "--json", "--company", company, *config).stdout)
        return shown["settings"][setting]["value"], "template busy" in shown["settings"][setting]["origin"]

    assert in_force("shop-1", "thresholds.emergency") == (25, True)
    assert in_force("shop-1", "cleanup.session_max_age") == ("8d", True)
    assert in_force("1001", "cleanup.session_max_age") == ("14d", False)

    planned = json.loads(run_cli("cleanup", "--dry-run", "--json", *config).stdout)["companies"]
    removed = {one["company"]: len(one["plan"]["remove"]) for one in planned}
    assert (removed["shop-1"], removed["1001"]) == (5, 0)

    document = json.loads(run_cli("monitor-once", "--json", *config).stdout)
    levels = {one["company"]: one["level"] for one in document["companies"]}
    assert (levels["shop-1"], levels["1001"]) == ("emergency", "healthy")
    of_busy, of_all = (
        " ".join(request.json["text"] for request in server.requests) for server in (busy, all_others)
    )
    assert {request.path for request in busy.requests} == {"/busy"}
    assert ("limit 25" in of_busy, "shop-1" in of_busy, "1002" in of_busy) == (True, True, False)
    assert ("1002" in of_all, "shop-1" in of_all) == (True, False)
