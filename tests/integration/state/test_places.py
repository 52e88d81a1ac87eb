"""Names that several places have: whoever lists them says which is which."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from baileys_tools.alerts.kept_alerts import claim, put
from baileys_tools.alerts.rules.alerts import Alert, Why
from baileys_tools.config import Settings
from baileys_tools.findings import Severity
from baileys_tools.frame.show.terminal import Style
from baileys_tools.state.database import open_state
from baileys_tools.state.places import introduce, namesakes
from baileys_tools.watching.incidents import list_incidents
from baileys_tools.watching.kept_incidents import open_incident
from baileys_tools.watching.show.incidents_text import incidents_text
from tests.support import about, company_folder


def test_only_a_place_that_is_there_makes_a_name_ambiguous(tmp_path: Path, now: datetime) -> None:
    for root in "ab":
        company_folder(tmp_path / root, "1001")
    with open_state(str(tmp_path / "state"), now) as state:
        for root in ("a", "b", "gone"):
            introduce(about(state, tmp_path / root, "1001", "other"), ["1001"])
        about(state, tmp_path / "a", "1001", "other")
        assert namesakes(state) == {"1001": f"{tmp_path}/a/company_1001"}
        (tmp_path / "b" / "company_1001" / "creds.json").unlink()
        (tmp_path / "b" / "company_1001").rmdir()
        assert namesakes(state) == {}


def test_incidents_of_one_name_are_told_apart(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path / "state"), now) as state:
        for root, cause in (("a", "creds-lost"), ("b", "network")):
            open_incident(about(state, tmp_path / root, "1001"), "1001", cause, now)
        open_incident(about(state, tmp_path / "a", "1002"), "1002", "network", now)
        report = list_incidents(state, ("1001",), now, Settings())
        assert {(one.cause, one.place) for one, _ in report.incidents} == {
            ("creds-lost", f"{tmp_path}/a/company_1001"),
            ("network", f"{tmp_path}/b/company_1001"),
        }
        report = list_incidents(state, (), now, Settings())
        text = incidents_text(now, report.incidents, report.services, Style())
    for root in "ab":
        assert f"company 1001 ({tmp_path}/{root}), the last 30 days" in text
    assert "company 1002, the last 30 days" in text


def test_an_alert_keeps_its_path_while_it_waits(tmp_path: Path, now: datetime) -> None:
    alert = Alert(
        Why.APPEARED, now, "1001", "creds-empty", Severity.EMERGENCY, "it is empty", path="/srv/a/1001"
    )
    with open_state(str(tmp_path / "state"), now) as state:
        put(state, ["webhook"], [alert, alert._replace(path="")], now)
        (row,) = claim(state, "webhook", now)
    assert [one.path for one in row.alerts] == ["/srv/a/1001", ""]
