"""What a command has stopped it starts again, or it says that it does not run: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.runs import runs_since
from baileys_tools.state.spool import take_in
from tests.bot import QR, Bot, api_env, bot_api
from tests.integration.faults.forked import run_cli
from tests.managed import Unit
from tests.support import COMMAND, company_folder, require_tool, scrubbed_environment, write_key

QUIET = timedelta(hours=1)
KEYS = ["session-447700900100.0.json", "pre-key-29.json", "pre-key-30.json"]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
RECOVER = ("recover", "--company", "1001", "--yes")
RESET = ("reset", "--company", "1001", "--yes", "--timeout", "2s")
signals = pytest.mark.parametrize("number", CODES, ids=lambda one: one.name)


def at_moments(*moments: str) -> pytest.MarkDecorator:
    """Each signal at each moment: one of them at all, and all of them at one; the others in the long proofs."""
    return pytest.mark.parametrize(
        ("number", "moment"),
        [
            pytest.param(
                number,
                moment,
                id=f"{number.name}-{moment}",
                marks=[] if number is signal.SIGTERM or moment == moments[-1] else pytest.mark.faults,
            )
            for number in CODES
            for moment in moments
        ],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company folder with a snapshot, whose creds.json was emptied since by a kill."""
    folder = company_folder(tmp_path / "sessions", keys=dict.fromkeys(KEYS, QUIET * 2))
    moment = (folder / "creds.json").stat().st_mtime - 3600
    os.utime(folder / "creds.json", (moment, moment))
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    write_key(folder, "creds.json", QUIET, "")
    return folder


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    with Unit(tmp_path / "bin") as unit:
        yield unit


def env_of(folder: Path) -> dict[str, str]:
    return {
        "BAILEYS_TOOLS_RECOVER__WAIT": "1s",
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(folder.parents[1] / "backups"),
    }


def last_code(command: str) -> int:
    """The exit code in the record of the newest run of a command."""
    now = datetime.now(UTC)
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], now) as state:
        take_in(state)
        return runs_since(state, now - timedelta(hours=1), command)[-1].exit_code


def timeline(env: Mapping[str, str]) -> list[str]:
    """What the newest incident says happened."""
    listed = json.loads(run_cli("incidents", "--json", env=env).stdout)["incidents"]
    return [f"{entry['what']}: {entry['detail']}" for entry in listed[0]["timeline"]]


def left(env: Mapping[str, str]) -> list[str]:
    """What monitor-once says of a bot that was left stopped."""
    report = json.loads(run_cli("monitor-once", "--json", env=env).stdout)
    return [
        finding["message"]
        for company in report["companies"]
        for finding in company["findings"]
        if finding["code"] == "left-stopped"
    ]


def broken_pipe(*command: str, env: Mapping[str, str], lines: int = 0) -> tuple[int, str]:
    """Run a command whose output and talk nobody reads after so many lines; return the code and what was read."""
    child = subprocess.Popen(
        [COMMAND, *command],
        env=scrubbed_environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    read = "".join(child.stdout.readline() for _ in range(lines))
    child.stdout.close()
    return child.wait(60), read


# --- recover ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", range(3))
def test_a_reader_that_has_gone_ends_the_talk_and_not_the_ladder(
    folder: Path, unit: Unit, lines: int
) -> None:
    code, _ = broken_pipe(*RECOVER, env=env_of(folder) | unit.env, lines=lines)
    assert (code, unit.runs, unit.told) == (0, True, ["stop", "restart"])
    assert last_code("recover") == 0


@pytest.mark.parametrize("times", [1, 2])
@at_moments("before-stop", "before-restart", "after-restart", "after-stop")
def test_a_signal_waits_until_what_was_stopped_runs_again(
    folder: Path, unit: Unit, number: signal.Signals, moment: str, times: int
) -> None:
    unit.at(moment, f"kill -{number.name[3:]} $PPID; sleep 0.05;" * times)
    env = env_of(folder) | unit.env
    done = run_cli(*RECOVER, "--json", env=env)
    assert (done.returncode, unit.runs) == (CODES[number], True), done.stderr
    assert f"{number.name}: systemd bot@1001 is started again first" in done.stderr
    assert (folder / "creds.json").stat().st_size
    assert last_code("recover") == CODES[number]
    (company,) = json.loads(done.stdout)["companies"]
    assert company["status"] == "broken-off"
    assert [one["step"] for one in company["tried"]] == ["restore", "restart"]
    said = timeline(env)
    assert f"recover-restart: systemd bot@1001 runs again; broken off by {number.name}" in said
    assert said[-1] == f"broken-off: broken off by {number.name}"
    assert left(env) == []


@signals
def test_a_signal_ends_a_wait_at_once(folder: Path, number: signal.Signals) -> None:
    run_cli("restore", "--company", "1001", "--yes", env=env_of(folder))
    with bot_api(Bot(status="connecting")) as server:
        env = env_of(folder) | api_env(server) | {"BAILEYS_TOOLS_RECOVER__FIRST_DELAY": "60s"}
        child = subprocess.Popen(
            [COMMAND, *RECOVER], env=scrubbed_environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.stderr is not None
        assert b"1001: " in child.stderr.readline()
        time.sleep(0.3)
        began = time.monotonic()
        child.send_signal(number)
        out, _ = child.communicate(timeout=30)
    assert (child.returncode, last_code("recover")) == (CODES[number], CODES[number])
    assert time.monotonic() - began < 10
    assert "broken off by" in out.decode()


@signals
def test_what_cannot_be_started_again_is_the_last_word_and_in_the_incident(
    folder: Path, unit: Unit, number: signal.Signals
) -> None:
    unit.at("after-stop", f"kill -{number.name[3:]} $PPID; sleep 0.05")
    unit.at("before-restart", "exit 1")
    env = env_of(folder) | unit.env
    done = run_cli(*RECOVER, env=env)
    assert (done.returncode, unit.runs) == (CODES[number], False)
    last = done.stderr.splitlines()[-1]
    assert "systemd bot@1001 does not run: this run" in last
    assert last.endswith("to start it: systemctl start -- bot@1001")
    assert any(line.startswith("left-stopped: systemd bot@1001 does not run") for line in timeline(env))
    (said,) = left(env)
    assert "recover stopped it at" in said


def test_a_bot_whose_folder_could_not_be_mended_is_not_started_and_that_is_the_last_word(
    folder: Path, unit: Unit
) -> None:
    """Without creds it would make itself a new identity."""
    archive = next((folder.parents[1] / "backups").rglob("*.tar.zst"))
    unit.at("after-stop", f"truncate --size 9 {archive}")
    env = env_of(folder) | unit.env
    done = run_cli(*RECOVER, env=env)
    assert (done.returncode, unit.runs, unit.told) == (5, False, ["stop"])
    assert "creds.json is not whole" in done.stderr.splitlines()[-1]
    assert any(line.startswith("left-stopped: ") for line in timeline(env))


def test_a_run_that_was_killed_is_found_by_the_next_ones(folder: Path, unit: Unit) -> None:
    unit.at("after-stop", "kill -KILL $PPID")
    env = env_of(folder) | unit.env
    assert run_cli(*RECOVER, env=env).returncode == -9
    assert not unit.runs
    (said,) = left(env)
    assert said.startswith("the bot is stopped: systemd bot@1001: recover stopped it at")
    planned = run_cli("recover", "--dry-run", "--json", env=env)
    (company,) = json.loads(planned.stdout)["companies"]
    assert "recover stopped it at" in company["cause"]["evidence"][-1]
    unit.at("after-stop", "")
    assert run_cli(*RECOVER, env=env).returncode == 0
    assert unit.runs
    assert any(line.startswith("found-stopped: recover stopped it") for line in timeline(env))
    assert left(env) == []


def test_one_that_somebody_has_started_meanwhile_is_spoken_of_no_more(folder: Path, unit: Unit) -> None:
    unit.at("after-stop", "kill -KILL $PPID")
    env = env_of(folder) | unit.env
    run_cli(*RECOVER, env=env)
    assert left(env)
    unit.start()
    assert left(env) == []
    os.kill(unit.pid, signal.SIGKILL)
    while unit.runs:
        time.sleep(0.01)
    assert left(env) == [], "that was not us"


def test_while_the_run_is_at_it_nobody_is_alarmed(folder: Path, unit: Unit) -> None:
    env = env_of(folder) | unit.env
    seen = unit.place / "seen"
    unit.at("after-stop", f"{COMMAND} monitor-once --json --no-notify > {seen} || true")
    assert run_cli(*RECOVER, env=env).returncode == 0
    assert "process-down" in seen.read_text()
    assert "left-stopped" not in seen.read_text()


def test_the_third_signal_of_a_kind_ends_it_and_the_next_run_knows(folder: Path, unit: Unit) -> None:
    unit.at("after-stop", "for n in 1 2 3; do kill -TERM $PPID; sleep 0.3; done")
    env = env_of(folder) | unit.env
    done = run_cli(*RECOVER, env=env)
    assert done.returncode == -signal.SIGTERM
    assert "3 times" in done.stderr
    assert left(env)


def test_what_was_started_to_ignore_a_signal_ignores_it(folder: Path, unit: Unit) -> None:
    """As by nohup."""
    unit.at("after-stop", "kill -HUP $PPID")
    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", COMMAND, *RECOVER],
        env=scrubbed_environment(env_of(folder) | unit.env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, unit.runs) == (0, True)


def test_with_the_real_pm2(folder: Path, tmp_path: Path) -> None:
    pm2 = require_tool("pm2")
    app = tmp_path / "bot.js"
    app.write_text(
        "process.on('SIGINT', () => { process.kill(+require('fs').readFileSync(process.env.ASKING), 'SIGTERM');"
        " process.exit() }); setInterval(() => {}, 1000)"
    )
    asking = tmp_path / "asking"
    asking.write_text("0")
    own = {"PM2_HOME": str(tmp_path / "pm2"), "ASKING": str(asking)}
    env = scrubbed_environment(env_of(folder) | own | {"BAILEYS_TOOLS_PROCESS__PM2": "shop"})

    def run(*command: Any) -> str:
        return subprocess.run(command, env=env, capture_output=True, check=True, timeout=60, text=True).stdout

    try:
        run(pm2, "start", app, "--name", "shop", "--silent")
        child = subprocess.Popen([COMMAND, *RECOVER], env=env, stderr=subprocess.PIPE, text=True)
        # PM2 tells the bot to end, and the bot tells us that it does.
        asking.write_text(str(child.pid))
        _, said = child.communicate(timeout=120)
        assert child.returncode == 143, said
        assert "pm2 shop is started again first" in said
        (listed,) = json.loads(run(pm2, "jlist", "--silent"))
        assert (listed["pm2_env"]["status"], listed["pid"] > 0) == ("online", True)
    finally:
        subprocess.run([pm2, "kill"], env=env, capture_output=True, check=False, timeout=60)


# --- reset --------------------------------------------------------------------------------------------------


class SignallingBot(Bot):
    """Sends its caller a signal at a request."""

    caller = 0
    number = signal.SIGTERM
    moment = ""

    def answer(self, request: Any) -> Any:
        reply = super().answer(request)
        if self.asked[-1][0] == self.moment:
            self.moment = ""
            os.kill(self.caller, self.number)
            time.sleep(0.2)
        return reply


def reset_with(folder: Path, bot: Bot, *options: str) -> tuple[int, str]:
    with bot_api(bot) as server:
        child = subprocess.Popen(
            [COMMAND, *RESET, *options],
            env=scrubbed_environment(env_of(folder) | api_env(server)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if isinstance(bot, SignallingBot):
            bot.caller = child.pid
        _, said = child.communicate(timeout=60)
        return child.returncode, said


@pytest.mark.parametrize("lines", range(2))
def test_a_reader_that_has_gone_does_not_keep_a_reset_from_starting_the_bot(folder: Path, lines: int) -> None:
    bot = Bot(qrs=[QR], connects_on_init=True)
    with bot_api(bot) as server:
        code, _ = broken_pipe(*RESET, env=env_of(folder) | api_env(server), lines=lines)
    assert (code, bot.count("POST /init")) == (0, 1)
    assert not (folder / "creds.json").exists()


@at_moments("GET /status", "GET /qr", "POST /init")
def test_a_reset_is_left_alone_or_has_told_the_bot_to_start(
    folder: Path, number: signal.Signals, moment: str
) -> None:
    bot = SignallingBot(qrs=[QR])
    bot.moment, bot.number = moment, number
    code, said = reset_with(folder, bot)
    assert (code, last_code("reset")) == (CODES[number], CODES[number]), said
    is_untouched = moment == "GET /status"
    assert bot.count("POST /init") == (0 if is_untouched else 1)
    assert (folder / "creds.json").exists() == is_untouched
    last = said.splitlines()[-1]
    assert ("the folder is set aside (undo --run" in last) != is_untouched


def test_a_bot_that_does_not_start_after_a_reset_is_the_last_word_and_in_the_incident(folder: Path) -> None:
    class Deaf(Bot):
        def answer(self, request: Any) -> Any:
            self.fail = 500 if request.method == "POST" else 0
            return super().answer(request)

    code, said = reset_with(folder, Deaf(), "--quiet")
    assert code == 1
    last = said.splitlines()[-1]
    assert last.endswith("the bot was not started; baileys-tools start-session --company 1001 starts it")
    assert any(line.startswith("left-stopped: ") for line in timeline(env_of(folder)))


def test_a_reset_that_was_killed_before_the_bot_was_told_is_found_by_the_monitor(folder: Path) -> None:
    bot = SignallingBot()
    bot.moment, bot.number = "POST /init", signal.SIGKILL
    with bot_api(bot) as server:
        env = env_of(folder) | api_env(server)
        child = subprocess.Popen(
            [COMMAND, *RESET], env=scrubbed_environment(env), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        bot.caller = child.pid
        child.communicate(timeout=60)
        assert child.returncode == -9
        (said,) = left(env)
        assert "reset stopped it" in said
        bot.qrs.append(QR)
        assert left(env) == [], "it has begun"


# --- all others ---------------------------------------------------------------------------------------------


@signals
def test_a_cleanup_that_a_signal_ends_is_recorded_and_leaves_no_worker(
    tmp_path: Path, number: signal.Signals
) -> None:
    many = tmp_path / "many"
    for n in range(40):
        company_folder(many, str(n), {f"session-{m}.0.json": timedelta(days=20) for m in range(100)})
    child = subprocess.Popen(
        [COMMAND, "cleanup", "--quiet", "--sessions", many],
        env=scrubbed_environment({}),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not list(many.glob("company_*/.baileys-tools")):
        assert child.poll() is None
    # As a terminal or a service manager does: to all of them.
    os.killpg(child.pid, number)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, last_code("cleanup")) == (CODES[number], CODES[number])
    assert said.splitlines()[-1].endswith(b"what was done so far stands (baileys-tools undo --list)")
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)


@pytest.mark.parametrize("verbose", [[], ["-v"]], ids=str)
def test_a_reader_that_has_gone_changes_no_exit_code(tmp_path: Path, verbose: list[str]) -> None:
    company_folder(tmp_path / "sessions")
    (tmp_path / "sessions" / "company_1002").symlink_to(tmp_path)
    command = ("cleanup", *verbose, "--sessions", str(tmp_path / "sessions"))
    expected = run_cli(*command).returncode
    code, _ = broken_pipe(*command, env={})
    assert code == expected == last_code("cleanup")
