"""docs/monitoring.md says what is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from baileys_tools.findings import SEVERITY_OF_LEVEL, Severity, exit_code_for
from baileys_tools.thresholds import Level, Thresholds, level_of
from baileys_tools.watching.rules.watch import CommandRun
from baileys_tools.watching.show.prometheus import prometheus_text
from tests.support import require_tool
from tests.unit.watching.test_watch import AT, a_report

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


def test_promtool_accepts_the_rules_and_each_names_a_metric_that_there_is(tmp_path: Path) -> None:
    promtool = require_tool("promtool")
    (rules,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "rules.yml"
    file.write_text(rules)
    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    for name in re.findall(r"baileys_tools_\w+", rules):
        assert f"| `{name}` |" in PAGE


def test_where_another_place_has_a_companys_name_its_metrics_say_the_path() -> None:
    report = a_report(Severity.WARNING)
    name = report.companies[0].id
    text = prometheus_text(report, namesakes={name: "/srv/a/x"})
    lines = [line for line in text.splitlines() if f'company="{name}"' in line]
    assert lines
    assert all('path="/srv/a/x"' in line for line in lines)
    assert text.count("path=") == len(lines)
    assert "path=" not in prometheus_text(report)
