"""What watching remembers, when it looks again, what goes into history, and both ways to start it."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from baileys_tools.cli import folders, quick, watching
from baileys_tools.cli.quick import OPTIONS, quick_command, understood
from baileys_tools.finding_codes import CODES
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.looks import Look, Stamp, from_plain, to_plain
from baileys_tools.thresholds import Level, Thresholds
from baileys_tools.watching.looking import STANDING_CODES
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.rules.watch import (
    MONITOR_CODES,
    MonitorReport,
    full_look_is_due,
    is_worth_history,
    login_of,
    news_among,
    said_key,
    same_logins,
)
from baileys_tools.watching.show.monitor_text import monitor_text, news_text
from baileys_tools.watching.show.nagios import MOST_COMPANIES, nagios_text
from baileys_tools.watching.show.prometheus import prometheus_text

NOW = 1_768_478_400
AT = datetime.fromtimestamp(NOW, UTC)
HOUR = 3_600
PACKAGE = Path(__file__).parents[3] / "baileys_tools"

LOOK = Look(
    Stamp(1, 2, 3, 4, 5, 6), True, 100, 0, {"session": 100}, CredsState.VALID, True, NOW, 9, NOW, 0, ()
)


def finding(code: str, severity: Severity, company: str = "1") -> Finding:
    return Finding(code, severity, company, f"{code} 160 (limit 150)", "Do this", {"count": 160})


# --- memory -------------------------------------------------------------------------------------------------

findings = st.builds(
    Finding,
    code=st.sampled_from(sorted(CODES)),
    severity=st.sampled_from(Severity),
    company=st.just("1"),
    message=st.text(),
    action=st.text(),
    facts=st.dictionaries(st.text(), st.integers() | st.text()),
)
numbers = st.integers(0, 2**62)
looks = st.builds(
    Look,
    stamp=st.builds(Stamp, numbers, numbers, numbers, numbers, numbers, numbers),
    settled=st.booleans(),
    files=numbers,
    guarded=numbers,
    by_kind=st.dictionaries(st.text(), numbers),
    creds=st.sampled_from(CredsState),
    was_linked=st.booleans(),
    full_at=numbers,
    size=numbers,
    written_at=numbers,
    strictest_leaves=numbers,
    findings=st.lists(findings).map(tuple),
    trouble=st.text(),
    observed_at=numbers,
    observed_counted=st.integers(-1, 10**6),
    connection=st.text(),
    gone_since=numbers,
    login=st.text(),
)


@given(looks)
def test_a_look_comes_back_from_json_as_it_was(look: Look) -> None:
    assert from_plain("1", json.loads(json.dumps(to_plain(look)))) == look


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_no_look_is_none(plain: object) -> None:
    assert from_plain("1", plain) is None


def test_all_files_are_looked_at_about_hourly_and_each_company_at_a_minute_of_its_own() -> None:
    dues = {
        company: next(m for m in range(200) if full_look_is_due(company, LOOK, NOW + m * 60))
        for company in map(str, range(1000, 1100))
    }
    assert min(dues.values()) >= 50
    assert max(dues.values()) < 70
    assert len(set(dues.values())) > 10
    assert full_look_is_due("1", LOOK, NOW - HOUR), "a clock that was set back must not stop it"


@pytest.mark.parametrize(
    ("change", "after", "worth"),
    [
        ({}, 60, False),
        ({}, 25 * HOUR, True),
        ({}, -60, True),
        ({"files": 101}, 60, False),
        ({"files": 101}, HOUR, True),
        ({"files": 150}, 60, True),
        ({"creds": "empty"}, 60, True),
        ({"connection": "disconnected"}, 60, True),
        ({"files": 150, "trouble": "permission denied"}, 25 * HOUR, False),
        ({"gone_since": NOW}, 25 * HOUR, False),
    ],
)
def test_history_has_what_matters_at_once_and_what_moves_once_an_hour(
    change, after: int, worth: bool
) -> None:
    known = LOOK._replace(observed_at=NOW, observed_counted=100)
    assert is_worth_history(known._replace(**change), known, Thresholds(), NOW + after) is worth
    assert is_worth_history(LOOK, None, Thresholds(), NOW)


def test_news_is_what_is_new_or_worse() -> None:
    before = {
        said_key(one): one.severity.value
        for one in (finding("file-count", Severity.CRITICAL), finding("disk-low", Severity.WARNING, ""))
    }
    now = [
        finding("file-count", Severity.WARNING),
        finding("file-count", Severity.CRITICAL, "2"),
        finding("disk-low", Severity.CRITICAL, ""),
    ]
    assert news_among(now, before) == {("file-count", "2"), ("disk-low", "")}


def test_what_a_pass_looks_for_is_what_its_rules_can_give() -> None:
    """A code that is missing from the list would be told of and never be over."""
    modules = (
        *(
            "watching/rules/health.py",
            "watching/rules/health_keys.py",
            "watching/rules/health_stray.py",
            "watching/rules/health_stores.py",
            "watching/rules/health_surroundings.py",
            "watching/rules/growth.py",
            "watching/rules/inspection_rules.py",
            "sessions/rules/fullness.py",
            "sessions/rules/owners.py",
        ),
        *(
            "bots/rules/connection.py",
            "bots/rules/process.py",
            "bots/rules/log_report.py",
            "watching/rules/verdict.py",
            "watching/rules/watch.py",
            "watching/monitor_pass.py",
        ),
    )
    given_there = {
        node.value
        for module in modules
        for node in ast.walk(ast.parse((PACKAGE / module).read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in CODES
    }
    never_alert = {code for code in given_there if CODES[code].worst == "notice"}
    assert given_there - never_alert == MONITOR_CODES | STANDING_CODES


def test_companies_with_one_login_are_told_from_those_with_their_own() -> None:
    looks = {
        company: LOOK._replace(login=login)
        for company, login in {
            "1": "49:1:7",
            "2": "49:2:7",
            "3": "49:1:7",
            "4": "",
            "5": "",
            "6": "49:1:8",
        }.items()
    }
    assert same_logins({company: login_of(look) for company, look in looks.items()}) == {
        "1": ["3"],
        "3": ["1"],
    }
    assert same_logins({}) == {}


# --- starting -----------------------------------------------------------------------------------------------


QUICK: dict[str, tuple[Callable[..., None], Callable[..., int]]] = {
    "monitor-once": (watching.monitor_once, quick.monitor_once),
    "cleanup": (folders.cleanup, quick.cleanup),
}


@cache
def by_typer(command: str) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command(command)(QUICK[command][0])
    return get_command(alone)


@pytest.mark.parametrize("command", QUICK)
def test_the_quick_start_has_the_options_of_the_command(command: str) -> None:
    parameters = by_typer(command).params
    options = {name: one.name for one in parameters for name in [*one.opts, *one.secondary_opts]}
    assert {name: parameter for name, (parameter, _) in OPTIONS[command].items()} == options
    # By position: the command hands all of them on.
    assert list(inspect.signature(QUICK[command][1]).parameters) == [one.name for one in parameters]


WORDS = {
    command: st.sampled_from(
        [*options, "--help", "-h", "--jso", "--company=1", "-qx", "--", "1001", "a b", "-1", ""]
    )
    for command, options in OPTIONS.items()
}


@pytest.mark.parametrize("command", QUICK)
@given(st.data())
def test_the_quick_start_understands_what_typer_does_or_leaves_it_to_typer(command: str, data: Any) -> None:
    words = data.draw(st.lists(WORDS[command], max_size=6))
    ours = understood(command, words)
    if ours is None:
        return
    context = by_typer(command).make_context(command, list(words))
    unset = {one.name: one.default for one in by_typer(command).params}
    theirs = {
        name: list(value) if isinstance(value, tuple) else value for name, value in context.params.items()
    }
    said = {name: unset[name] if value in ([], ()) else value for name, value in theirs.items()}
    assert {**unset, **ours} == said


@pytest.mark.parametrize(
    "words",
    [
        *([], ["status"], ["monitor-once", "--help"], ["monitor-once", "-q", "--jso"]),
        *(["cleanup", "-h"], ["cleanup", "1001"], ["cleanup", "--until"]),
    ],
)
def test_everything_else_is_left_to_typer(words: list[str]) -> None:
    assert quick_command(words) is None


# --- outputs ------------------------------------------------------------------------------------------------


def a_report(*severities: Severity, count: int = 0) -> MonitorReport:
    def company(name: str, *found: Finding) -> CompanyStatus:
        return CompanyStatus(
            name,
            f"/s/{name}",
            Level.WARNING if found else Level.HEALTHY,
            160,
            0,
            {"session": 160},
            CredsState.VALID,
            last_activity=AT,
            findings=found,
            size=5000,
            listed=True,
        )

    some = [company(str(n), finding("file-count", severity, str(n))) for n, severity in enumerate(severities)]
    others = [company(f"healthy-{n}") for n in range(count)]
    return MonitorReport("/s", AT, Thresholds(), [*some, *others])


@pytest.mark.parametrize(
    ("severities", "word", "code"),
    [
        ([], "OK", 0),
        ([Severity.NOTICE], "OK", 0),
        ([Severity.WARNING], "WARNING", 1),
        ([Severity.WARNING, Severity.CRITICAL], "CRITICAL", 2),
        ([Severity.EMERGENCY], "CRITICAL", 2),
    ],
)
def test_nagios_says_the_worst(severities: list[Severity], word: str, code: int) -> None:
    text, found = nagios_text(a_report(*severities, count=1))
    assert (text.split(" - ")[0], found) == (word, code)


def test_nagios_stays_on_a_line_that_agents_can_carry_with_a_thousand_companies() -> None:
    text, _ = nagios_text(a_report(*[Severity.WARNING] * 1000))
    assert len(text) < 1_000
    assert "997 more" in text
    assert text.count("counted_files") == 1
    few, _ = nagios_text(a_report(count=MOST_COMPANIES))
    assert few.count("counted_files") == MOST_COMPANIES + 1


def test_nothing_raw_from_a_name_reaches_any_output() -> None:
    nasty = "a\x1b[2J\nb\udcff|'\"\\"
    report = a_report()._replace(
        companies=[
            a_report(count=1)
            .companies[0]
            ._replace(id=nasty, findings=[finding("disk-low", Severity.WARNING, nasty)])
        ],
        news=frozenset({("disk-low", nasty)}),
    )
    for text in (
        monitor_text(report, Style()),
        news_text(report),
        nagios_text(report)[0],
        prometheus_text(report),
    ):
        assert all(line.isprintable() for line in text.splitlines())
        text.encode()
        assert "\x1b" not in text
    assert nagios_text(report)[0].count("|") == 1


def test_text_has_the_worst_first_and_a_line_a_company() -> None:
    text = monitor_text(a_report(Severity.WARNING, Severity.EMERGENCY, count=2), Style())
    assert text.splitlines() == [
        "company 1: emergency: file-count 160 (limit 150). Do this",
        "company 0: warning: file-count 160 (limit 150). Do this",
        "4 companies: 1 emergency, 1 warning, 2 healthy",
    ]
