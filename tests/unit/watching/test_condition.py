"""How a company is, in one word, and the sums of it: a full folder and a lost login are never called healthy."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.thresholds import Level, Thresholds
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.show.status_text import status_text

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def company(
    level: Level, *severities: Severity, name: str = "1001", trouble: str = "", is_gone: bool = False
) -> CompanyStatus:
    findings = [Finding("creds-empty", one, name, "message", "action") for one in severities]
    return CompanyStatus(
        name, "/s", level, 3, 0, {}, CredsState.VALID, findings=findings, trouble=trouble, is_gone=is_gone
    )


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (company(Level.HEALTHY), "healthy"),
        (company(Level.HEALTHY, Severity.NOTICE), "healthy"),
        (company(Level.HEALTHY, Severity.WARNING), "warning"),
        (company(Level.HEALTHY, Severity.EMERGENCY), "emergency"),
        (company(Level.TRIGGER, Severity.CRITICAL), "critical"),
        (company(Level.TRIGGER, Severity.EMERGENCY), "emergency"),
        (company(Level.DANGER, Severity.WARNING), "emergency"),
        (company(Level.HEALTHY, Severity.CRITICAL, trouble="permission denied"), "unreadable"),
        (company(Level.HEALTHY, Severity.WARNING, is_gone=True), "gone"),
    ],
)
def test_a_company_is_as_bad_as_the_worse_of_its_level_and_its_findings(
    one: CompanyStatus, state: str
) -> None:
    assert one.state.value == state


@pytest.mark.parametrize(
    ("first", "sums", "step"),
    [
        (company(Level.HEALTHY), "2 companies (2 healthy), 6 files", ""),
        (company(Level.HEALTHY, Severity.WARNING), "2 companies (1 warning, 1 healthy), 6 files", ""),
        (
            company(Level.HEALTHY, Severity.EMERGENCY),
            "2 companies (1 emergency, 1 healthy), 6 files",
            "baileys-tools inspect --company 1001",
        ),
        (
            company(Level.HEALTHY, trouble="permission denied"),
            "2 companies (1 unreadable, 1 healthy), 6 files",
            "baileys-tools inspect --company 1001",
        ),
        (
            company(Level.HEALTHY, Severity.CRITICAL, is_gone=True),
            "2 companies (1 gone, 1 healthy), 6 files",
            "baileys-tools snapshots --company 1001",
        ),
    ],
)
def test_the_sums_count_what_is_wrong_and_say_what_to_type_next(
    first: CompanyStatus, sums: str, step: str
) -> None:
    status = FleetStatus("/s", NOW, Thresholds(), [first, company(Level.HEALTHY, name="1002")])
    lines = status_text(status, Style(), 80).splitlines()
    assert sums in lines
    assert [line for line in lines if "What to do first" in line] == (
        [f"What to do first: {step}"] if step else []
    )


@pytest.mark.parametrize("of_each", [1, 20, 1_700])
def test_the_sums_are_one_line_of_eighty_however_many_and_whatever_they_are(of_each: int) -> None:
    one_of_each = [
        company(Level.HEALTHY, Severity.EMERGENCY),
        company(Level.HEALTHY, Severity.CRITICAL, trouble="permission denied"),
        company(Level.HEALTHY, Severity.WARNING, is_gone=True),
        company(Level.TRIGGER, Severity.CRITICAL),
        company(Level.HEALTHY, Severity.WARNING),
        company(Level.HEALTHY),
    ]
    lines = status_text(FleetStatus("/s", NOW, Thresholds(), one_of_each * of_each), Style(), 80).split("\n")
    (sums,) = [line for line in lines if line.startswith(f"{6 * of_each:,} companies (")]
    assert len(sums) <= 80
    assert f"{of_each:,} emergency" in sums
    counts = re.findall(r"([\d,]+) (?:emergency|unreadable|gone|critical|warning|healthy|others)", sums)
    assert sum(int(count.replace(",", "")) for count in counts) == 6 * of_each
