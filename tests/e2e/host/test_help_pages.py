"""The man page, `help TOPIC`, `--help` and completion are what the real command tree says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from baileys_tools.cli import MODULES
from baileys_tools.cli.manpage import man_page
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.terminal import WIDTH
from baileys_tools.host.topics import EXIT_CODES, TOPICS
from tests.support import COMMAND, company_folder, require_tool, run_cli, scrubbed_environment

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "baileys-tools.1"
COMMANDS = [command for commands in MODULES.values() for command in commands]


def test_the_man_page_is_the_real_command_tree() -> None:
    assert PAGE.read_text() == man_page(), "write it again: make docs"


def test_the_man_page_renders_without_a_warning() -> None:
    shown = subprocess.run(
        [require_tool("man"), "-l", "--warnings", PAGE],
        capture_output=True,
        text=True,
        env=scrubbed_environment(),
    )
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert "baileys-tools - keep the session folders of WhatsApp bots alive" in shown.stdout
    for command in COMMANDS:
        assert re.search(rf"^ +{command}( |$)", shown.stdout, re.MULTILINE), command


@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_fits_a_terminal(topic: str) -> None:
    run = run_cli("help", topic)
    assert run.returncode == 0
    assert max(map(len, run.stdout.splitlines())) <= WIDTH
    assert topic in run_cli("help").stdout


def test_an_unknown_topic_names_the_known_ones() -> None:
    run = run_cli("help", "polcy")
    assert run.returncode == 2
    assert "policy" in run.stderr


def test_the_exit_codes_are_those_of_the_readme() -> None:
    table = (ROOT / "README.md").read_text().split("## Exit codes")[1]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)
    assert {ExitCode(int(code)): meaning for code, meaning in rows} == EXIT_CODES
    assert set(EXIT_CODES) == set(ExitCode)
    for code in ExitCode:
        assert re.search(rf"^ +{int(code)}  ", run_cli("help", "exit-codes").stdout, re.MULTILINE)


def test_the_help_of_all_ends_with_every_exit_code() -> None:
    listed = " ".join(run_cli("--help").stdout.split()).partition("Exit codes: ")[2]
    assert [int(code) for code in re.findall(r"\b(\d+) ", listed)] == sorted(ExitCode)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_examples_and_fits_a_terminal(command: str) -> None:
    run = run_cli(command, "--help")
    assert run.returncode == 0
    assert all(len(line) <= 80 for line in run.stdout.splitlines())
    for option in re.split(r"^  -", run.stdout, flags=re.MULTILINE)[1:]:
        assert option.count("[default:") <= 1, option
    if "Commands:" not in run.stdout:
        assert f"  baileys-tools {command}" in run.stdout, "an example"
        assert not re.search(r"(\[default: [^]]*\])\s+\1", run.stdout)


@pytest.mark.parametrize("group", [[], ["cron"], ["config"], ["notify"]])
def test_the_help_says_in_one_line_what_each_command_does(group: list[str]) -> None:
    shown = run_cli(*group, "--help").stdout.partition("Commands:\n")[2]
    assert "..." not in shown


def test_the_help_names_every_exit_code() -> None:
    codes = run_cli("--help").stdout.partition("Exit codes:")[2]
    assert re.findall(r"\b\d+", codes) == [str(int(code)) for code in ExitCode]


# --- a company without its option ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["inspect", "1001"], "1001"),
        (["cleanup", "1001", "1002", "--dry-run"], "1001,1002"),
        (["monitor-once", "1001"], "1001"),
        (["restore", "1001"], "1001"),
        (["qr", "1001", "--png", "qr.png"], "1001"),
    ],
)
def test_a_company_without_its_option_is_told_how_to_name_it(words: list[str], meant: str) -> None:
    refused = run_cli(*words)
    assert refused.returncode == 2
    assert f"Did you mean --company {meant}?" in refused.stderr


@pytest.mark.parametrize(
    "words", [["doctor", "1001"], ["qr"], ["restore", "--company"], ["restore", "--dry-run"], ["nonsense"]]
)
def test_no_company_is_guessed_where_none_was_named(words: list[str]) -> None:
    refused = run_cli(*words)
    assert refused.returncode == 2
    assert "--company 1001" not in refused.stderr
    assert "Did you mean --company" not in refused.stderr


# --- completion ---------------------------------------------------------------------------------------------


def complete(words: str, position: int, **env: str) -> list[str]:
    """What bash is offered for the word at `position`."""
    completing = {
        "_BAILEYS_TOOLS_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(position),
    }
    run = run_cli(env=completing | env)
    assert run.stderr == ""
    return run.stdout.split()


def test_commands_options_and_topics_are_offered() -> None:
    assert set(complete("baileys-tools ", 1)) == set(COMMANDS)
    assert complete("baileys-tools cle", 1) == ["cleanup"]
    assert complete("baileys-tools cron in", 2) == ["install"]
    assert "--dry-run" in complete("baileys-tools cleanup --d", 2)
    assert complete("baileys-tools help p", 2) == ["policy"]


@pytest.mark.parametrize("command", ["cleanup", "restore", "inspect", "qr"])
def test_companies_are_offered(tmp_path: Path, command: str) -> None:
    for company in ("7", "1001", "1002", "bad\nname", "bad$(name)"):
        company_folder(tmp_path, company)
    path = {"BAILEYS_SESSIONS_PATH": str(tmp_path)}
    assert complete(f"baileys-tools {command} --company ", 3, **path) == ["7", "1001", "1002"]
    assert complete(f"baileys-tools {command} --company 10", 3, **path) == ["1001", "1002"]
    folder = f"baileys-tools {command} --company company_10"
    assert complete(folder, 3, **path) == ["company_1001", "company_1002"]
    assert complete(f"baileys-tools {command} --company ", 3) == [], "no path, no offer, no complaint"
    assert complete(f"baileys-tools {command} --company ", 3, BAILEYS_SESSIONS_PATH="/nowhere") == []
    assert complete(f"baileys-tools {command} --company ", 3, BAILEYS_TOOLS_NONSENSE="1") == []
    if command == "cleanup":
        assert complete(f"baileys-tools {command} --sessions {tmp_path} --company 7", 5) == ["7"]


def test_a_completion_loads_nothing_heavy(tmp_path: Path) -> None:
    company_folder(tmp_path)
    script = (
        "import sys; sys.argv = ['baileys-tools']\n"
        "from baileys_tools.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=scrubbed_environment(
            {
                "_BAILEYS_TOOLS_COMPLETE": "complete_bash",
                "COMP_WORDS": "baileys-tools cleanup --company ",
                "COMP_CWORD": "3",
                "BAILEYS_SESSIONS_PATH": str(tmp_path),
            }
        ),
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["1001"]
    for heavy in ("rich", "httpx", "crontab", "yaml", "sqlite3"):
        assert f"'{heavy}'" not in run.stderr, heavy


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str) -> None:
    run = subprocess.run(
        [COMMAND, "--show-completion", shell],
        env=scrubbed_environment({"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "_BAILEYS_TOOLS_COMPLETE=complete_" + shell in run.stdout
