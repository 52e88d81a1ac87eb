"""The man page, `help TOPIC`, `--help` and completion are what the real command tree says."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from baileys_tools.bots.rules.diagnosis import Cause
from baileys_tools.cli import MODULES, PAIRS, behind_the_command
from baileys_tools.cli.groups import GROUPS, IN_FRONT, OLD_NAMES, UNDOABLE
from baileys_tools.cli.manpage import all_commands, man_page
from baileys_tools.errors import ExitCode
from baileys_tools.finding_codes import CODES, NOTICE
from baileys_tools.frame.show.terminal import WIDTH, Style
from baileys_tools.host.help import explained
from baileys_tools.host.meanings import DIAGNOSES, STATES, WORDS, meaning
from baileys_tools.host.pages import page, page_names
from baileys_tools.host.show.page_text import page_text
from baileys_tools.host.topics import EXIT_CODES, TOPICS
from baileys_tools.thresholds import Level
from baileys_tools.watching.rules.verdict import CompanyState
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, company_folder, require_tool, scrubbed_environment

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "baileys-tools.1"
COMMANDS = [command for commands in MODULES.values() for command in commands if command not in OLD_NAMES]


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


def test_each_topic_fits_a_terminal() -> None:
    listed = run_cli("help").stdout
    for topic in TOPICS:
        run = run_cli("help", topic)
        assert run.returncode == 0
        assert max(map(len, run.stdout.splitlines())) <= WIDTH, topic
        assert topic in listed


def test_an_unknown_topic_names_the_known_ones() -> None:
    run = run_cli("help", "polcy")
    assert run.returncode == 2
    assert "did you mean policy?" in run.stderr


def test_the_exit_codes_are_those_of_the_readme() -> None:
    table = (ROOT / "README.md").read_text().split("## Exit codes")[1]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)
    assert {ExitCode(int(code)): meaning for code, meaning in rows} == EXIT_CODES
    assert set(EXIT_CODES) == set(ExitCode)
    shown = run_cli("help", "exit-codes").stdout
    for code in ExitCode:
        assert re.search(rf"^ +{int(code)}  ", shown, re.MULTILINE)


# --- the first page -----------------------------------------------------------------------------------------


def test_every_command_has_a_group_and_stands_on_the_first_page() -> None:
    assert set(GROUPS) == set(COMMANDS), "a line in cli/groups.py for each command"
    assert set(GROUPS) > UNDOABLE
    page = run_cli("--help").stdout
    for command in COMMANDS:
        assert (
            len(re.findall(rf"(?<![\w-]){command}(?![\w-])", page.partition("Before or behind")[0])) >= 1
        ), command
    for command in IN_FRONT & set(COMMANDS):
        assert re.search(rf"^  {command} +[A-Z].+\.$", page, re.MULTILINE), command


def test_the_first_page_fits_a_terminal_below_the_line_that_asked_for_it() -> None:
    for words in ([], ["-h"], ["--help"]):
        shown = run_cli(*words)
        lines = (shown.stdout or shown.stderr).splitlines()
        assert len(lines) <= 23
        assert max(map(len, lines)) <= WIDTH
        assert "init" not in " ".join(lines).split()


def test_all_commands_are_listed_with_a_line_each() -> None:
    shown = run_cli("help", "commands").stdout
    assert "..." not in shown
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert re.findall(r"^ (\S+) ", shown, re.MULTILINE) == list(GROUPS)


def test_an_old_name_does_the_same_and_is_not_shown() -> None:
    for old, new in OLD_NAMES.items():
        assert run_cli(old, "--help").stdout == run_cli(new, "--help").stdout.replace(
            f"tools {new} [", f"tools {old} ["
        )
        assert f'.SS "{old} ' not in PAGE.read_text()


# --- options before the command -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--sessions /s status", "status --sessions /s"),
        ("--sessions=/s --json -v status --x", "status --sessions=/s --json -v --x"),
        ("--company 1 --config c restore 41", "restore --company 1 --config c 41"),
        ("--config c cron status -q", "cron status --config c -q"),
        ("--json cron", "cron --json"),
        ("--config c cron --help", "cron --config c --help"),
        ("status --sessions /s", "status --sessions /s"),
        ("--version", "--version"),
        ("--help status", "--help status"),
        ("--sessions", "--sessions"),
        ("--sessions /s", "--sessions /s"),
        ("--nonsense status", "--nonsense status"),
        ("-- status", "-- status"),
        ("", ""),
    ],
)
def test_shared_options_are_taken_before_the_command(typed: str, meant: str) -> None:
    assert behind_the_command(typed.split()) == meant.split()


def test_the_commands_of_two_words_are_the_groups() -> None:
    assert {name.split()[0] for name, _, _ in all_commands() if " " in name} == PAIRS


def test_an_option_before_the_command_is_in_force(tmp_path: Path) -> None:
    company_folder(tmp_path)
    before = run_cli(
        "--sessions", tmp_path, "--json", "cleanup", "--dry-run", "--now", "2026-01-15T12:00:00Z"
    )
    behind = run_cli(
        "cleanup", "--dry-run", "--now", "2026-01-15T12:00:00Z", "--sessions", tmp_path, "--json"
    )
    assert (before.returncode, before.stdout) == (behind.returncode, behind.stdout)
    assert before.returncode == 0
    refused = run_cli("--company", "1001", "doctor")
    assert refused.returncode == 2
    assert "No such option" in refused.stderr


# --- what a finding means -----------------------------------------------------------------------------------


def test_each_finding_is_explained_with_what_to_type() -> None:
    for code, info in CODES.items():
        text = explained(code)
        assert text.startswith(code)
        assert info.meaning in " ".join(text.split()), code
        assert len(text.splitlines()) > 3, code
        assert ("To type: " in text) == (info.worst != NOTICE), code
        assert not re.search(r"\]\(|`|\*\*", text), "no Markdown is left"


def test_explain_and_help_tell_of_a_code() -> None:
    told = run_cli("explain", "creds-empty")
    assert told.returncode == 0
    assert "To type: stop the bot, then baileys-tools restore --company ID --dry-run" in told.stdout
    assert run_cli("help", "creds-empty").stdout == told.stdout
    every = run_cli("explain").stdout
    assert re.findall(r"^([a-z-]+)$", every, re.MULTILINE) == list(CODES)
    unknown = run_cli("explain", "creds-emty")
    assert unknown.returncode == 2
    assert "did you mean creds-empty?" in unknown.stderr


# --- pages of the documentation -----------------------------------------------------------------------------


def test_every_page_can_be_read_here() -> None:
    names = page_names()
    assert {"runbook", "findings", "backups"} <= set(names)
    for name in names:
        text = page_text(page(name), Style())
        code = {line.strip() for line in re.findall(r"^    .*|(?<=\n)[^\n]*", page(name))}
        for line in text.splitlines():
            assert len(line) <= WIDTH or line.strip() in code or "baileys-tools " in line or "/" in line, line
    assert run_cli("help", "runbook").stdout == run_cli("help", "docs/runbook.md").stdout
    assert "Always first" in run_cli("help", "runbook").stdout


def test_a_command_with_a_page_names_it() -> None:
    shown = run_cli("help", "trigger").stdout
    assert shown.startswith(run_cli("trigger", "--help").stdout.rstrip())
    assert shown.endswith("The page on it: baileys-tools help trigger.md\n")
    assert (
        run_cli("help", "cron", "install").stdout
        == run_cli("cron", "install", "--help").stdout.rstrip("\n") + "\n"
    )


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        (
            "# One\n\nTwo `three` [four](x.md) [five](https://example.org).",
            "One\n\nTwo three four five (https://example.org).\n",
        ),
        ("- one\n  two\n- three\n\n  four", "- one two\n- three\n  four\n"),
        ("1. one\n2. two", "1. one\n2. two\n"),
        ("    a   b\n\n    c", "    a   b\n\n    c\n"),
        ("```console\n$ x\n```", "    $ x\n"),
        ("| a | b |\n|---|---|\n| c | `d` |", "a  b\nc  d\n"),
        (f"| a | b |\n|---|---|\n| c | {'d ' * 50}|", "c\n" + f"    b: {'d ' * 36}d\n      {'d ' * 12}d\n"),
        ("<!-- a comment -->\n\n> said", "  said\n"),
    ],
)
def test_a_page_becomes_text(markdown: str, text: str) -> None:
    assert page_text(markdown, Style()) == text


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


@pytest.mark.parametrize("group", [["cron"], ["config"], ["notify"]])
def test_the_help_says_in_one_line_what_each_command_does(group: list[str]) -> None:
    shown = run_cli(*group, "--help").stdout.partition("Commands:\n")[2]
    assert "..." not in shown


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
    assert {"policy", "prune", "process-down", "promises"} <= set(complete("baileys-tools help p", 2))
    assert complete("baileys-tools explain creds-e", 2) == ["creds-empty", "creds-encoding"]


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


def test_runs_modes_and_snapshots_are_offered(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "sessions", keys={"session-447700900101.0.json": timedelta(days=40)})
    paths = {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
    }
    assert run_cli("backup", "--quiet", env=paths).returncode == 0
    assert run_cli("cleanup", "--quiet", env=paths).returncode == 0
    (run,) = (folder / ".baileys-tools" / "quarantine").iterdir()
    (run.parent / "20260101T000000Z-$(hit)").mkdir()
    assert complete("baileys-tools undo --run ", 3, **paths) == [run.name]
    assert complete("baileys-tools undo --run 1999", 3, **paths) == []
    assert complete("baileys-tools undo --run ", 3) == []
    assert complete("baileys-tools restore --mode ", 3) == ["repair", "rollback"]
    assert complete("baileys-tools restore --mode rol", 3) == ["rollback"]
    for verb in ("restore", "keep", "diff"):
        assert complete(f"baileys-tools {verb} --company 1001 ", 4, **paths) == ["latest", "1"], verb
    assert complete("baileys-tools logs --company 1", 3, **paths) == ["1001"]


def test_codes_of_findings_are_offered() -> None:
    assert complete("baileys-tools silence --code creds-e", 3) == ["creds-empty", "creds-encoding"]
    assert "healthy" not in complete("baileys-tools silence --code ", 3), "a state is no finding"


def test_shared_options_before_the_command_are_completed_too(tmp_path: Path) -> None:
    for company in ("1001", "1002", "7"):
        company_folder(tmp_path, company)
    path = {"BAILEYS_SESSIONS_PATH": str(tmp_path)}
    assert complete("baileys-tools --company 10", 2, **path) == ["1001", "1002"]
    assert complete("baileys-tools --json --company ", 3, **path) == ["7", "1001", "1002"]
    assert complete(f"baileys-tools --sessions {tmp_path} --company ", 4) == ["7", "1001", "1002"]
    assert complete("baileys-tools --company 7 cle", 3, **path) == ["cleanup"]
    assert complete(f"baileys-tools --sessions '{tmp_path}' cron ins", 4) == ["install"]
    assert complete(f"baileys-tools --sessions '{tmp_path}' inspect --company 7", 5) == ["7"]
    assert complete("baileys-tools --vers", 1) == ["--version"]
    assert complete("baileys-tools --nonsense --company 'op", 3, **path) == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [("--company 10", {"1001"}), ("--company ", {"1001", "7"}), ("--company 7 cle", {"cleanup"})],
)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_shell_completes_them(tmp_path: Path, shell: str, line: str, offered: set[str]) -> None:
    for company in ("1001", "7"):
        company_folder(tmp_path, company)
    asked = {
        "_BAILEYS_TOOLS_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": f"baileys-tools {line}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "BAILEYS_SESSIONS_PATH": str(tmp_path),
    }
    said = run_cli(env=asked).stdout
    assert {
        word for word in re.findall(r"[\w-]+", said) if word in {"1001", "7", "cleanup", "backup"}
    } == offered


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


# --- words that are no findings -----------------------------------------------------------------------------


def test_each_word_that_is_said_of_a_bot_has_a_meaning() -> None:
    assert set(DIAGNOSES) == set(Cause)
    assert list(STATES) == [one.value for one in CompanyState]
    assert {*Cause, *CompanyState, *Level} == WORDS


@pytest.mark.parametrize("word", sorted(WORDS))
def test_each_such_word_is_explained(word: str) -> None:
    run = run_cli("explain", word)
    assert run.returncode == 0
    lines = "\n".join(meaning(word))
    assert lines in run.stdout
    assert max(map(len, lines.splitlines())) <= WIDTH
    assert f"{word}: " in lines
    assert "Look with: baileys-tools " in lines
    assert lines in run_cli("help", word).stdout
    assert "What recover does: " in run.stdout or word not in set(Cause) - {Cause.HEALTHY}


def test_a_word_that_nobody_says_names_the_nearest() -> None:
    for verb in ("explain", "help"):
        run = run_cli(verb, "creds-lots")
        assert run.returncode == 2
        assert "did you mean creds-lost?" in run.stderr
