"""What `watch` puts on a terminal of any size: whole lines, as many as there are, the worst first."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.thresholds import Level, Thresholds
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.show.watch_text import LastRun, View, watch_lines

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def company(number: int, severities: list[Severity]) -> CompanyStatus:
    findings = [Finding(f"code-{i}", one, str(number), "m" * 90, "do") for i, one in enumerate(severities)]
    return CompanyStatus(
        str(number), "/s", Level.HEALTHY, 3, 0, {Kind.SESSION: 3}, CredsState.VALID, findings=findings
    )


def view(companies: list[CompanyStatus], trouble: str = "") -> View:
    status = FleetStatus("/srv/" + "x" * 60, NOW, Thresholds(), companies)
    runs = [LastRun("cleanup", NOW - timedelta(hours=2), 0), LastRun("backup", NOW - timedelta(minutes=3), 3)]
    return View(status, runs, NOW, timedelta(seconds=15), trouble)


COMPANIES = st.lists(st.lists(st.sampled_from(Severity), max_size=4), min_size=1, max_size=25)


@given(COMPANIES, st.integers(80, 200), st.integers(1, 80), st.booleans())
def test_a_terminal_of_any_size_is_filled_and_no_more(severities, width, height, is_painted):
    style = Style()
    style._on = is_painted
    lines = watch_lines(view([company(n, one) for n, one in enumerate(severities)]), style, width, height)
    assert len(lines) == min(height, max(height, 6))
    for line in lines:
        assert len(COLOUR.sub("", line)) <= width
        assert line.count("\x1b[0m") * 2 == line.count("\x1b["), "a colour runs on into the next line"


@given(COMPANIES, st.integers(10, 40))
def test_what_is_left_out_is_said_and_adds_up(severities, height):
    companies = [company(n, one) for n, one in enumerate(severities)]
    if len(companies) == 1:
        return
    text = "\n".join(watch_lines(view(companies), Style(), 100, height))
    shown = len(re.findall(r"^\d+ +(?:healthy|warning|critical|emergency) +\S+ +\d", text, re.MULTILINE))
    left_out = re.search(r"and (\d+) more compan", text)
    assert shown + int(left_out[1] if left_out else 0) == len(companies)
    told = len(re.findall(r"^(?:warning|critical|emergency) +\d+  code", text, re.MULTILINE))
    untold = re.search(r"and (\d+) more finding", text)
    expected = sum(severity is not Severity.NOTICE for one in severities for severity in one)
    assert told + int(untold[1] if untold else 0) == expected


def test_the_worst_finding_is_the_first_and_runs_that_failed_say_so():
    companies = [company(1, [Severity.WARNING]), company(2, [Severity.EMERGENCY])]
    lines = watch_lines(view(companies), Style(), 100, 30)
    told = [line.split()[:2] for line in lines if "code-0:" in line]
    assert told == [["emergency", "2"], ["warning", "1"]]
    assert "last runs: cleanup 2.0h ago, backup 3m ago (exit 3)" in lines


def test_trouble_takes_the_place_of_the_runs():
    lines = watch_lines(view([company(1, [])], "cannot open\x1b[2J it"), Style(), 100, 30)
    assert "not looked at again: cannot open\\x1b[2J it" in lines
