"""`config check` names everything that a command would stumble over later, all at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from baileys_tools import extras
from baileys_tools.config import load_settings
from baileys_tools.host.config_mistakes import mistakes
from tests.integration.faults.forked import run_cli
from tests.support import company_folder

WRONG = """\
backup:
  path: {place}/repository
  recipients: ["age1nonsense", "AGE-SECRET-KEY-1CANARY"]
bot_api: {{preset: evolution}}
companies: {{"7": {{bot_api: {{preset: waha}}}}, "8": {{bot_api: {{url: "http://127.0.0.1:1"}}}}}}
"""


def test_all_mistakes_are_told_at_once_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(WRONG.format(place=tmp_path))
    done = run_cli("config", "check", "--config", file)
    assert done.returncode == 2
    assert "4 errors in the settings:" in done.stderr
    assert f"age1nonsense... ({file}:3)" in done.stderr
    assert "CANARY" not in done.stderr
    assert (
        f'bot_api.preset: the preset "evolution" has no bot_api.url beside it, so no bot is asked ({file}:4)'
        in done.stderr
    )
    assert "companies.7.bot_api.preset" in done.stderr
    assert "companies.8" not in done.stderr
    # What a command does not need cannot stop it.
    company_folder(tmp_path / "sessions")
    assert run_cli("undo", "--list", "--config", file, "--sessions", tmp_path / "sessions").returncode == 0


def test_the_order_of_thresholds_is_told_beside_other_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("thresholds: {warning: 180, critical: 150}\ncleanup: {session_max_age: 5x}\n")
    said = run_cli("config", "check", "--config", file).stderr
    assert "4 errors in the settings:" in said, "each level that has to be raised is told at once"
    assert "thresholds.critical: 150" in said
    for level in ("trigger: 175 (default)", "emergency: 180 (default)"):
        assert f"thresholds.{level} has to be above thresholds.warning, which is 180" in said
    file.write_text("thresholds: {warning: many, critical: 150}\ncleanup: {session_max_age: 5x}\n")
    said = run_cli("config", "check", "--config", file).stderr
    assert "2 errors in the settings:" in said
    assert "has to be above" not in said, "nothing is compared with a value that was not given"


def test_what_is_about_nothing_here_is_told(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions", "shop-1")
    file = tmp_path / "config.yaml"
    file.write_text(
        f"sessions: {{roots: ['{tmp_path}/sessions', '{tmp_path}/bots/*/auth']}}\n"
        f"logs: {{files: ['{tmp_path}/{{company}}.log']}}\n"
        "templates: {busy: {cleanup: {until: 160}}, quiet: {cleanup: {until: 150}}}\n"
        'companies: {"shop-*": {use: busy}, "shpo-*": {cleanup: {until: 150}}, "9": {cleanup: {until: 150}}}\n'
    )
    done = run_cli("config", "check", "--config", file)
    assert done.returncode == 4, done.stderr
    told = [line for line in done.stdout.split("\n") if line.startswith("warning: ")]
    for number, words in enumerate(
        (
            f"the sessions path {tmp_path}/bots is not there",
            f"companies.9: there is no such company here ({file}:4)",
            f"companies.shpo-*: no company here matches ({file}:4)",
            f"logs.files: no file matches {tmp_path}/{{company}}.log ({file}:2)",
            f'templates.quiet: no company uses the template "quiet" ({file}:3)',
        )
    ):
        assert told[number] == f"warning: {words}", told
    (tmp_path / "shop-1.log").touch()
    (tmp_path / "bots/b/other").mkdir(parents=True)
    told = list(run_cli("config", "check", "--config", file).stdout.split("\n"))
    assert f"warning: no session folder matches at {tmp_path}/bots" in told
    assert not any("logs.files" in line for line in told)


def test_a_gentle_rule_that_keeps_nothing_is_told(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions", "1")
    file = tmp_path / "config.yaml"
    file.write_text(
        f"sessions: {{path: '{tmp_path}/sessions'}}\ncleanup: {{active_group: 2d, until: 150}}\n"
        "templates: {strict: {cleanup: {until: 185}}}\n"
        'companies: {"1": {cleanup: {returners: true}}, "[1]": {use: strict}}\n'
    )
    done = run_cli("config", "check", "--config", file)
    told = [line for line in done.stdout.split("\n") if line.startswith("warning: ")]
    active, until = told
    everywhere = "2d keeps nothing, as cleanup.sender_key_max_age is 3d everywhere"
    assert active == f"warning: cleanup.active_group: {everywhere} ({file}:2)"
    steps_back = "185 is not below thresholds.danger, which is 185: there it steps back"
    assert until == f"warning: companies.[1].cleanup.until: {steps_back} ({file}:3)"
    assert done.returncode == 4
    file.write_text(
        f"sessions: {{path: '{tmp_path}/sessions'}}\nthresholds: {{learn: true}}\n"
        "cleanup: {active_group: 14d, until: 185}\n"
    )
    assert run_cli("config", "check", "--config", file).returncode == 0


def test_what_two_companies_of_one_name_have_of_it_is_told(tmp_path: Path) -> None:
    for root in "ab":
        company_folder(tmp_path / root, "9")
    file = tmp_path / "config.yaml"
    file.write_text(
        f"sessions: {{roots: ['{tmp_path}/a', '{tmp_path}/b']}}\n"
        "companies: {9: {cleanup: {until: 150}, process: {pm2: nine}}}\n"
    )
    done = run_cli("config", "check", "--config", file)
    assert f"warning: companies.9: process: in force for none of 9@a, 9@b; name one ({file}:2)" in done.stdout
    assert "there is no such company" not in done.stdout
    shown = run_cli("config", "show", "--company", "9@b", "--config", file).stdout
    assert re.search(r"until\s+150\s+\S+\s+\(companies\.9\)", shown), "as it is in force"
    assert "nine" not in shown


def test_what_cannot_be_read_hides_no_other_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "thresholds: {warning: 180, critical: 150}\ncleanup: {until: x}\nbackup: {recipients: [age1nonsense]}\n"
    )
    said = run_cli("config", "check", "--config", file).stderr
    assert "5 errors in the settings:" in said
    for path in (
        "thresholds.critical",
        "thresholds.trigger",
        "thresholds.emergency",
        "cleanup.until",
        "backup.recipients",
    ):
        assert f"  {path}: " in said


@pytest.mark.parametrize(
    ("settings", "module", "package"),
    [
        ({"backup.path": "/b", "backup.copies": ["sftp://host/x"]}, "paramiko", "paramiko fsspec"),
        ({"backup.path": "/b", "backup.copies": ["sftp://host/x"]}, "fsspec", "paramiko fsspec"),
        ({"backup.path": "/b", "backup.copies": ["s3://bucket/x"]}, "s3fs", "s3fs"),
        ({"notify.urls": ["ntfy://host/x"]}, "apprise", "apprise requests"),
    ],
)
def test_an_extra_that_is_missing_is_told_with_how_to_add_it(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], module: str, package: str
) -> None:
    loaded = load_settings(settings, {}, cwd="/", home="/", system_config="/none")
    assert mistakes(loaded) == []
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == module else object())
    (told,) = mistakes(loaded)
    assert told.startswith(next(reversed(settings)))
    assert f"{sys.executable} -m pip install {package} (" in told
    monkeypatch.setattr(sys, "prefix", "/home/me/.local/share/pipx/venvs/baileys-tools")
    (told,) = mistakes(loaded)
    assert f"pipx inject baileys-tools {package} (" in told


def test_a_mistake_in_a_template_is_told_once_and_with_all_others(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "templates:\n"
        "  busy: {thresholds: {warning: 160, critical: 155}, process: {pm2: a, systemd: b}}\n"
        "  half: {thresholds: {warning: 172}}\n"
        "companies:\n"
        "  1001: {use: busy}\n"
        "  1002: {use: [half, busy]}\n"
        '  "shop-*": {use: busy, thresholds: {trigger: 158}}\n'
        "  1003: {cleanup: {until: x}}\n"
    )
    said = run_cli("config", "check", "--config", file).stderr
    assert [line.split(":")[0].strip() for line in said.splitlines() if line.startswith("  ")] == [
        "companies.1003.cleanup.until",
        "templates.busy.thresholds.critical",
        "companies.shop-*.thresholds.trigger",
        "templates.busy.process",
    ], said


def test_what_all_companies_inherit_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"sessions: {{path: {tmp_path}}}\n"
        "notify: {webhook: 'http://example.net/x'}\n"
        "bot_api: {preset: ai-admin}\n"
        "templates: {own: {notify: {telegram_chat_id: 7}, bot_api: {name: x}}}\n"
        "companies: {1: {use: own}, 2: {use: own}, 3: {notify: {warning_every: 6h}}}\n"
    )
    said = run_cli("config", "check", "--config", file).stderr
    assert said.count("so no bot is asked") == 1
    assert f"so no bot is asked ({file}:3)" in said
    file.write_text(file.read_text().replace("bot_api: {preset: ai-admin}\n", ""))
    said = " ".join(run_cli("config", "check", "--config", file).stdout.split())
    assert said.count("notify.webhook is not encrypted") == 1
    assert said.count("notify.telegram_chat_id is given but") == 1
    assert "warning: companies.1, companies.2: notify.telegram_chat_id" in said
