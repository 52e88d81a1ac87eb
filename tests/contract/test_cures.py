"""What the cures do to messages, measured with the real client (see cures_contract.mjs)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.real_client import run_script, scene
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

RESEND = ["resend-group-keys", "--company", "1", "--all", "--yes", "--json"]
RENEW = ["renew-sessions", "--company", "1", "--broken", "--yes", "--json"]
RENEW_ONE = ["contact", "--company", "1", "{number}", "--renew", "--yes", "--json"]

Measure = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """A function from version, illness and command to the report of cures_contract.mjs; each is lived once."""
    reports: dict[str, dict[str, Any]] = {}

    def measured(version: str, ill: str, *command: str) -> dict[str, Any]:
        key = " ".join((version, ill, *command))
        if key not in reports:
            reports[key] = _live(version, ill, command, tmp_path_factory.mktemp("cures"))
        return reports[key]

    return measured


def _live(version: str, ill: str, command: tuple[str, ...], home: Path) -> dict[str, Any]:
    log = home / "bot.log"
    settings = home / "settings.yaml"
    settings.write_text(f'logs:\n  files:\n    - path: {log}\n      company: "1"\n')
    life = ["--baileys", version, "--ill", ill, *(["--log", str(log)] if ill == "contacts" else [])]
    words = [*life, "--", str(COMMAND), *command, "--config", str(settings)]
    report: dict[str, Any] = json.loads(run_script("cures_contract.mjs", *words, home=home))
    for run in (report["still"]["ran"], *report["running"]):
        assert run["exit_code"] == 0, run["output"] + run["errors"]
    return report


VERSIONS = ("baileys6", "baileys7")
KINDS = {"resend-group-keys": ("groups", RESEND), "renew-sessions": ("contacts", RENEW)}


def on(version: str, kind: str, *values: Any) -> Any:
    """One life of a kind. Each version has a cure of its own in the default run; all three of both in the long proofs.

    That one contact alone is renewed by its name, tests/e2e/cures holds in the default run.
    """
    long = None if (version, kind) in HERE_TOO else pytest.mark.faults
    return scene(version, *values, group=f"cures {version} {kind}", long=long, name=f"{version}-{kind}")


HERE_TOO = {("baileys6", "resend-group-keys"), ("baileys7", "renew-sessions")}
waiting = pytest.mark.parametrize("version", [on(name, "resend-group-keys") for name in VERSIONS])
broken = pytest.mark.parametrize("version", [on(name, "renew-sessions") for name in VERSIONS])
broken_one = pytest.mark.parametrize("version", [on(name, "renew-one") for name in VERSIONS])
cures = pytest.mark.parametrize(
    ("version", "ill", "command"), [on(name, kind, *how) for name in VERSIONS for kind, how in KINDS.items()]
)


def run_of(report: dict[str, Any], cached: bool, **how: int) -> dict[str, Any]:
    """Return the run under a running bot that was made so."""
    wanted = {"cached": cached, "later": 0, "restarted": False, "waited": 0} | how
    (found,) = [run for run in report["running"] if wanted.items() <= run.items()]
    return dict(found)


@waiting
def test_all_members_read_the_bot_again(measure: Measure, version: str) -> None:
    report = measure(version, "groups", *RESEND)
    assert len(report["untouched"]["failed"]["bot_to_group"]) > 5, "nobody waits"
    assert report["still"]["cured"]["failed"]["bot_to_group"] == []


@waiting
def test_the_key_messages_are_those_that_were_stated(measure: Measure, version: str) -> None:
    report = measure(version, "groups", *RESEND)
    stated = json.loads(report["still"]["ran"]["output"])["cost"]
    sent = report["still"]["cured"]["key_messages"] - report["untouched"]["key_messages"]
    assert stated == {"contacts": 0, "key_messages": sent}
    assert sent > 15


@cures
def test_nothing_else_fails(measure: Measure, version: str, ill: str, command: list[str]) -> None:
    report = measure(version, ill, *command)
    for direction, failed in report["still"]["cured"]["failed"].items():
        assert set(failed) <= set(report["untouched"]["failed"][direction]), direction
    assert report["still"]["cured"]["failed"]["bot_to_contact"] == []


@cures
def test_undo_brings_every_byte_back(measure: Measure, version: str, ill: str, command: list[str]) -> None:
    still = measure(version, ill, *command)["still"]
    assert still["removed"]
    assert (still["undo"]["exit_code"], still["undone"]) == (0, True), still["undo"]["output"]


@broken
def test_exactly_the_broken_sessions_go(measure: Measure, version: str) -> None:
    report = measure(version, "contacts", *RENEW)
    twin = {name for name in report["still"]["removed"] if name not in report["ill_files"]}
    assert set(report["ill_files"]) <= set(report["still"]["removed"])
    assert len(twin) == (1 if version == "baileys7" else 0), twin


@broken
def test_the_next_message_is_read_where_the_bot_writes_first(measure: Measure, version: str) -> None:
    report = measure(version, "contacts", *RENEW)
    assert len(report["untouched"]["bot_first"]) == 6, "three contacts cannot be read, nor can they read"
    assert report["still"]["cured"]["bot_first"] == []


@broken
def test_one_resend_for_each_contact_that_writes_first_as_stated(measure: Measure, version: str) -> None:
    report = measure(version, "contacts", *RENEW)
    stated = json.loads(report["still"]["ran"]["output"])["cost"]
    found = report["still"]["cured"]["ill_first"]
    assert sorted(found["failed"]) == sorted(report["ill_files"])
    assert found["resends"] == {"1": stated["contacts"]}


@broken_one
def test_one_contact_is_renewed_alone(measure: Measure, version: str) -> None:
    report = measure(version, "contacts", *RENEW_ONE)
    first = report["ill_files"][0]
    others = set(report["ill_files"][1:3])
    assert first in report["still"]["removed"]
    assert len(report["still"]["removed"]) == (2 if version == "baileys7" else 1)
    cured = report["still"]["cured"]
    assert {line.split()[1] for line in cured["bot_first"]} == others, "they are as they were"
    assert cured["ill_first"]["resends"]["1"] == 4
    assert report["still"]["undone"]


@cures
def test_a_running_bot_without_a_cache_is_cured_at_its_next_message(
    measure: Measure, version: str, ill: str, command: list[str]
) -> None:
    run = run_of(measure(version, ill, *command), cached=False)
    assert run["before"]
    assert run["after"] == []


@cures
def test_a_running_bot_that_caches_its_keys_is_cured_later_and_this_is_said(
    measure: Measure, version: str, ill: str, command: list[str]
) -> None:
    """At once it answers from memory, as the plan says; left alone for five minutes, or started anew, it is cured."""
    report = measure(version, ill, *command)
    at_once = run_of(report, cached=True)
    assert at_once["after"], "if this is empty, what the plan says of caches is wrong"
    assert all(aside["may_be_in_memory"] for aside in json.loads(at_once["output"])["asides"])
    assert run_of(report, cached=True, later=6)["after"] == []
    assert run_of(report, cached=True, restarted=True)["after"] == []


@cures
def test_a_running_bot_that_was_silent_for_a_while_is_cured_at_once(
    measure: Measure, version: str, ill: str, command: list[str]
) -> None:
    run = run_of(measure(version, ill, *command), cached=True, waited=6)
    assert run["after"] == []
    if ill == "groups":
        asides = json.loads(run["output"])["asides"]
        assert [aside["may_be_in_memory"] for aside in asides] == [False] * len(asides)


@cures
def test_undo_under_a_running_bot_brings_every_byte_back(
    measure: Measure, version: str, ill: str, command: list[str]
) -> None:
    """Also where the bot has written a moment before: what it wrote then is not newer than what was set aside."""
    assert [run["undone"] for run in measure(version, ill, *command)["running"]] == [True] * 5
