"""docs/monitoring.md says what is so."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from baileys_tools.findings import SEVERITY_OF_LEVEL, Severity, exit_code_for
from baileys_tools.thresholds import Level, Thresholds, level_of
from baileys_tools.watching.rules.watch import CommandRun
from baileys_tools.watching.show.prometheus import prometheus_text
from tests.support import require_tool
from tests.unit.watching.test_watch import AT, a_report

PACKAGING = Path(__file__).parents[3] / "packaging"
PROMETHEUS = PACKAGING / "prometheus"
DASHBOARD = PACKAGING / "grafana" / "baileys-tools.json"
PAGE = (Path(__file__).parents[3] / "docs/monitoring.md").read_text()


def test_the_table_of_levels_is_the_code() -> None:
    rows = re.findall(
        r"^\| (\d+ and more|under \d+|above \d+) \| (\w+) \| (\w*) ?\| (\d) \|$", PAGE, re.MULTILINE
    )
    assert [level for _, level, _, _ in rows] == list(Level)
    for words, level, severity, code in rows:
        number = int(re.findall(r"\d+", words)[0])
        counted = number - 1 if words.startswith("under") else number + words.startswith("above")
        assert level_of(counted, Thresholds()) == level
        assert (severity or "notice") == SEVERITY_OF_LEVEL[Level(level)]
        assert int(code) == exit_code_for(SEVERITY_OF_LEVEL[Level(level)])


def test_the_table_of_metrics_is_what_the_file_holds() -> None:
    report = a_report(Severity.WARNING)
    company = report.companies[0]._replace(connection="connected", last_snapshot=AT)
    text = prometheus_text(report._replace(companies=[company]), [CommandRun("backup", AT, 0)])
    held = {
        re.split(r"[{ ]", line)[0]: sorted(re.findall(r'(\w+)="', line))
        for line in text.splitlines()
        if not line.startswith("#")
    }
    told = {
        name: sorted(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(baileys_tools_\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
    }
    assert told == held


def test_each_alert_of_the_rules_comes_when_it_should_and_no_sooner() -> None:
    promtool = require_tool("promtool")
    rules, tests = (PROMETHEUS / f"baileys-tools.{which}.yml" for which in ("rules", "test"))
    checked = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    tried = subprocess.run([promtool, "test", "rules", tests], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    alerts = re.findall(r"- alert: (\w+)", rules.read_text())
    assert sorted(set(re.findall(r"alertname: (\w+)", tests.read_text()))) == sorted(alerts), "each is tried"
    assert not unknown_metrics(rules.read_text())


def test_the_tests_of_the_rules_can_fail(tmp_path: Path) -> None:
    for file in PROMETHEUS.iterdir():
        (tmp_path / file.name).write_text(
            file.read_text().replace("> 86400", "> 864000").replace("== 0", "== 7")
        )
    tried = subprocess.run(
        [require_tool("promtool"), "test", "rules", tmp_path / "baileys-tools.test.yml"], capture_output=True
    )
    assert tried.returncode == 1


def unknown_metrics(text: str) -> list[str]:
    return [name for name in re.findall(r"baileys_tools_\w+", text) if f"| `{name}` |" not in PAGE]


def test_the_dashboard_asks_for_metrics_that_there_are_in_words_that_prometheus_reads(tmp_path: Path) -> None:
    text = DASHBOARD.read_text()
    dashboard = json.loads(text)
    assert not unknown_metrics(text)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in itertools.combinations((panel["gridPos"] for panel in panels), 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert variables == set(re.findall(r"\$\{?(instance|company|datasource)\b", text))
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [{"record": f"asked:{number}", "expr": expr} for number, expr in enumerate(asked)]
    (tmp_path / "asked.yml").write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    checked = subprocess.run(
        [require_tool("promtool"), "check", "rules", tmp_path / "asked.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def lost(told: Any, kept: Any, at: str = "") -> list[str]:
    """Return where Grafana's model keeps something else than is told."""
    if isinstance(told, dict) and isinstance(kept, dict):
        return [where for key in told for where in lost(told[key], kept.get(key), f"{at}/{key}")]
    if isinstance(told, list) and isinstance(kept, list) and len(told) == len(kept):
        return [
            where for number, one in enumerate(told) for where in lost(one, kept[number], f"{at}/{number}")
        ]
    return [] if told == kept else [at]


def as_grafana_reads_it(dashboard: dict[str, Any]) -> Any:
    plugins.register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def test_the_dashboard_is_one_of_grafanas() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert lost(dashboard, as_grafana_reads_it(dashboard)) == []
    panel = dashboard["panels"][1]
    panel["gridpos"] = panel.pop("gridPos")
    panel["fieldConfig"]["defaults"]["treshold"] = {}
    assert lost(dashboard, as_grafana_reads_it(dashboard)) == [
        "/panels/1/fieldConfig/defaults/treshold",
        "/panels/1/gridpos",
    ]


def test_where_another_place_has_a_companys_name_its_metrics_say_the_path() -> None:
    report = a_report(Severity.WARNING)
    name = report.companies[0].id
    text = prometheus_text(report, namesakes={name: "/srv/a/x"})
    lines = [line for line in text.splitlines() if f'company="{name}"' in line]
    assert lines
    assert all('path="/srv/a/x"' in line for line in lines)
    assert text.count("path=") == len(lines)
    assert "path=" not in prometheus_text(report)
