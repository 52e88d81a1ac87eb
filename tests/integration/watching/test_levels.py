"""Levels of single companies: by template, of what a rule can remove, and learnt from what a folder usually has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.cleanup.rules.trigger import Rules
from baileys_tools.cleanup.triggering import emergency_rules_of, rules_of, run_trigger
from baileys_tools.config import Settings, load_settings
from baileys_tools.sessions.rules.keyfiles import REMOVED_BY_DEFAULT
from baileys_tools.state.database import open_state
from baileys_tools.state.observations import Observation, observe
from baileys_tools.thresholds import Level
from baileys_tools.watching.monitor import run_monitor
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.status import fleet_status
from tests.support import about, company_folder

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def files(number: int, name: str = "session-4917{}.0.json", age: timedelta = HOUR) -> dict[str, timedelta]:
    return {name.format(one): age for one in range(number)}


def settings_of(tmp_path: Path, yaml: str = "", **environ: str) -> Settings:
    (tmp_path / "c.yaml").write_text(yaml or "{}")
    places = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "s"),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
    }
    loaded = load_settings({}, places | environ, config=str(tmp_path / "c.yaml"), cwd=str(tmp_path))
    return loaded.settings


def watched(tmp_path: Path, yaml: str = "", **environ: str) -> dict[str, CompanyStatus]:
    """What a pass of monitor-once says; the status and the plan of a cleanup have to agree."""
    places = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "s"),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
    }
    (tmp_path / "c.yaml").write_text(yaml or "{}")
    loaded = load_settings(
        {"cleanup.dry_run": True}, places | environ, config=str(tmp_path / "c.yaml"), cwd=str(tmp_path)
    )
    with open_state(str(tmp_path / "state"), NOW) as state:
        report = run_monitor(loaded, state, NOW, notify=False)
        status = fleet_status(loaded.settings, str(tmp_path / "s"), state, NOW)
    found = {one.id: (one.counted, one.level) for one in report.companies}
    assert found == {one.id: (one.counted, one.level) for one in status.companies}
    plans = run_cleanup(loaded.settings, str(tmp_path / "s"), NOW).companies
    assert found == {
        one.id: (one.plan.counted_before, one.plan.level_before) for one in plans if one.plan is not None
    }
    return {one.id: one for one in report.companies}


def observed(tmp_path: Path, company: str, counts: list[int], every: timedelta = timedelta(hours=6)) -> None:
    with open_state(str(tmp_path / "state"), NOW) as state:
        observe(
            about(state, tmp_path / "s", company),
            [
                Observation(company, NOW - every * (len(counts) - n), 0, count, {}, None, "x", "valid", None)
                for n, count in enumerate(counts)
            ],
        )


BUSY = """
templates:
  busy: {thresholds: {warning: 700, critical: 750, trigger: 800, emergency: 850, danger: 900}}
companies: {"b*": {use: busy}}
"""


def test_thresholds_by_template_hold_in_every_command(tmp_path: Path) -> None:
    for company in ("b1", "c1"):
        company_folder(tmp_path / "s", company, files(299), now=NOW)
    found = watched(tmp_path, BUSY)
    assert {company: one.level for company, one in found.items()} == {"b1": Level.HEALTHY, "c1": Level.DANGER}
    assert [one.code for one in found["b1"].findings if one.code == "file-count"] == []
    # Other settings at the next pass are seen though nothing moved in the folder.
    found = watched(tmp_path)
    assert found["b1"].level is Level.DANGER
    assert [one.code for one in found["b1"].findings if one.code == "file-count"] == ["file-count"]


def test_kinds_that_no_rule_removes_can_be_left_out_of_the_count(tmp_path: Path) -> None:
    kinds = files(90) | files(150, "tctoken-{}@lid.json") | files(100, "device-list-{}.json")
    company_folder(tmp_path / "s", "1", kinds | {"lid-mapping-1.json": HOUR}, now=NOW)
    assert watched(tmp_path)["1"].counted == 342
    assert watched(tmp_path, BAILEYS_TOOLS_THRESHOLDS__COUNT="removable")["1"].counted == 90
    lists = {"BAILEYS_TOOLS_CLEANUP__DEVICE_LISTS": "30d"}
    assert watched(tmp_path, BAILEYS_TOOLS_THRESHOLDS__COUNT="removable", **lists)["1"].counted == 190


def test_what_always_counts_as_removable_is_what_the_rules_remove() -> None:
    from baileys_tools.config.schema import ALWAYS_REMOVABLE

    assert {kind.value for kind in REMOVED_BY_DEFAULT} == ALWAYS_REMOVABLE


@pytest.mark.parametrize(
    ("counts", "files_now", "level", "limit"),
    [
        ([400] * 50, 450, Level.HEALTHY, None),
        ([400] * 50, 501, Level.WARNING, 500),
        ([400] * 50 + [900] * 4, 540, Level.DANGER, 535),
        ([40] * 50, 160, Level.WARNING, 150),  # never below what is set
        ([400] * 8, 501, Level.DANGER, 185),  # two days tell of no habit
    ],
)
def test_levels_are_learnt_from_what_a_folder_usually_has(
    tmp_path: Path, counts: list[int], files_now: int, level: Level, limit: int | None
) -> None:
    company_folder(tmp_path / "s", "1", files(files_now - 1), now=NOW)
    observed(tmp_path, "1", counts)
    one = watched(tmp_path, "thresholds: {learn: true}")["1"]
    assert (one.counted, one.level) == (files_now, level)
    said: list[Any] = [found for found in one.findings if found.code == "file-count"]
    assert [found.facts["limit"] for found in said] == ([] if limit is None else [limit])
    if limit is not None and len(counts) > 12:
        assert f"learnt: it usually has {counts[0]}" in said[0].message


@pytest.mark.parametrize(("files_now", "action"), [(501, "leave"), (526, "clean"), (540, "emergency")])
@pytest.mark.parametrize("rules", [rules_of, emergency_rules_of])
def test_a_trigger_begins_at_the_level_that_was_learnt(
    tmp_path: Path, files_now: int, action: str, rules: Callable[[Settings], Rules]
) -> None:
    """The one of every half an hour, and that of a monitor that may clean by itself, which knows emergencies alone."""
    company_folder(tmp_path / "s", "1", files(files_now - 1, age=timedelta(days=20)), now=NOW)
    observed(tmp_path, "1", [400] * 50)
    settings = settings_of(tmp_path, "thresholds: {learn: true}\ncleanup: {dry_run: true}")
    with open_state(str(tmp_path / "state"), NOW) as state:
        (one,) = run_trigger(settings, str(tmp_path / "s"), state, NOW, rules=rules).companies
    assert one.decision is not None
    assert one.decision.action == (action if rules is rules_of or action == "emergency" else "leave")


def test_only_companies_that_are_to_learn_do(tmp_path: Path) -> None:
    for company in ("1", "2"):
        company_folder(tmp_path / "s", company, files(400), now=NOW)
        observed(tmp_path, company, [400] * 50)
    found = watched(tmp_path, "companies: {1: {thresholds: {learn: true}}}")
    assert {company: one.level for company, one in found.items()} == {"1": Level.HEALTHY, "2": Level.DANGER}
