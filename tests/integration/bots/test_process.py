"""Processes looked at for real: PM2 itself where it is installed, what it printed elsewhere, pidfiles, units."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.bots.asking import process_changes, process_of, processes
from baileys_tools.bots.process import (
    Process,
    ToolError,
    look_at,
    look_at_all,
    restart,
    run_tool,
    stop,
)
from baileys_tools.bots.rules.process import ProcessFacts, process_findings, restarts_since
from baileys_tools.config import ConfigError, Settings, load_settings
from baileys_tools.recovery.recovering import run_recover
from baileys_tools.recovery.recovery_job import RecoverJob
from baileys_tools.sessions.roots import Root
from baileys_tools.state.database import State, open_state
from baileys_tools.watching.monitor_pass import look_once
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, require_tool

RECORDED = Path(__file__).parents[1] / "pm2_jlist.json"
"""What PM2 7.0.4 printed for a bot that runs (`shop`) and one that crashes until PM2 gives up (`crash`). Its
environment variables are replaced."""
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put(tools: Path, name: str, script: str) -> Path:
    path = tools / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def pm2_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "pm2"
    home.mkdir()
    monkeypatch.setenv("PM2_HOME", str(home))
    return home


@pytest.fixture
def daemon(pm2_home: Path) -> Iterator[socket.socket]:
    """What listens where PM2's daemon does."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(pm2_home / "rpc.sock"))
        server.listen()
        yield server


# --- PM2 ----------------------------------------------------------------------------------------------------


def recorded_pm2(tools: Path, before: str = "") -> None:
    put(tools, "pm2", f'{before}\necho "$@" >> {tools}/asked\ncat {RECORDED}')


@pytest.mark.parametrize("before", ["", "echo '>>>> In-memory PM2 is out-of-date, do: [pm2 update]'"])
def test_what_pm2_printed_is_read(tools: Path, daemon: socket.socket, before: str) -> None:
    recorded_pm2(tools, before)
    seen = look_at(Process("pm2", "shop"))
    assert (seen.running, seen.restarts, seen.instances, seen.detail) == (True, 1, 1, "")
    assert seen.memory is not None
    assert 10_000_000 < seen.memory < 200_000_000
    assert seen.started is not None
    assert seen.started.year == 2026
    crashed = look_at(Process("pm2", "crash"))
    assert (crashed.running, crashed.detail) == (False, "pm2 says errored")
    assert crashed.restarts is not None
    assert crashed.restarts > 10
    assert look_at(Process("pm2", "other")).running is None
    assert "canary" not in repr((seen, crashed))


def test_pm2_restarts_by_number_whatever_the_name_says(tools: Path, daemon: socket.socket) -> None:
    recorded_pm2(tools)
    restart(Process("pm2", "shop"))
    assert (tools / "asked").read_text().splitlines() == ["jlist --silent", "restart 0 --silent"]
    for name in ("all", "0", "-h", "app.js"):
        with pytest.raises(ToolError, match="knows no process"):
            restart(Process("pm2", name))


@pytest.mark.parametrize("left", [False, True], ids=["never-ran", "was-killed"])
def test_where_no_pm2_runs_none_is_started(tools: Path, pm2_home: Path, left: bool) -> None:
    if left:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(pm2_home / "rpc.sock"))
    put(tools, "pm2", f"touch {tools}/started")
    seen = look_at(Process("pm2", "shop"))
    assert seen.running is None
    assert "does not run for this user" in seen.detail
    assert not (tools / "started").exists()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo canary; exit 1", "failed (exit 1)"),
        ("echo canary not json", "did not print a list"),
        ("echo '{\"canary\": 1}'", "knows no process"),
        ("echo '[1, null, {}]'", "knows no process"),
        ("""echo '[{"name": "shop", "pm2_env": "canary", "monit": {}}]'""", "does not say how it is"),
        ("""echo '[{"name": "shop"}]'""", "does not say how it is"),
    ],
)
def test_a_pm2_that_fails_says_nothing_of_what_it_printed(
    tools: Path, daemon: socket.socket, script: str, says: str
) -> None:
    put(tools, "pm2", script)
    seen = look_at(Process("pm2", "shop"))
    assert seen.running is None
    assert says in seen.detail
    assert "canary" not in seen.detail


def test_of_a_pm2_that_is_odd_what_can_be_known_is_known(tools: Path, daemon: socket.socket) -> None:
    state = {"status": "online", "restart_time": 2, "pm_uptime": 10**400}
    listed = json.dumps([{"name": "shop", "pid": 3, "pm2_env": state, "monit": "much"}])
    put(tools, "pm2", f"echo '{listed}'")
    facts = look_at(Process("pm2", "shop"))
    assert (facts.running, facts.restarts, facts.memory, facts.started) == (True, 2, 0, None)
    with pytest.raises(ToolError, match="knows no process"):
        restart(Process("pm2", "shop"))


def test_the_real_pm2(tmp_path: Path, pm2_home: Path) -> None:
    pm2 = require_tool("pm2")
    app = tmp_path / "bot.js"
    app.write_text("setInterval(() => {}, 1000)")
    quiet = {"capture_output": True, "check": True, "timeout": 60}
    try:
        subprocess.run([pm2, "start", app, "--name", "shop"], **quiet)  # type: ignore[call-overload]
        process = Process("pm2", "shop")
        first = look_at(process)
        assert (first.running, first.restarts, first.instances) == (True, 0, 1)
        assert first.started is not None
        assert abs(datetime.now(UTC) - first.started) < timedelta(minutes=1)
        restart(process)
        second = look_at(process)
        assert second.running is True
        assert second.pid != first.pid
        assert restarts_since(json.loads(json.dumps(first.to_remember())), second) == 1
        stop(process)
        assert look_at(process).running is False
        restart(process)
        assert look_at(process).running is True, "one that is stopped is started"
        assert look_at(Process("pm2", "other")).running is None
    finally:
        subprocess.run([pm2, "kill"], capture_output=True, check=False, timeout=60)


# --- systemd ------------------------------------------------------------------------------------------------
# As `systemctl show` of systemd 252 printed it for real units. No manager is started here: one that finds itself in
# the root cgroup, as in a container, moves every process there is into a cgroup of its own.

ACTIVE = "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=4\nMainPID={pid}\nMemoryCurrent={memory}"


def put_unit(tools: Path, said: str) -> None:
    put(tools, "systemctl", f'echo "$@" >> {tools}/asked\ncat <<"END"\n{said}\nEND')


@pytest.mark.parametrize(
    ("memory", "known"), [("123456", True), ("[not set]", False), (str(2**64 - 1), False)]
)
def test_a_unit_that_runs(tools: Path, memory: str, known: bool) -> None:
    put_unit(tools, ACTIVE.format(pid=os.getpid(), memory=memory))
    seen = look_at(Process("systemd", "bot@1001.service"))
    assert (seen.running, seen.restarts, seen.pid) == (True, 4, os.getpid())
    assert seen.memory is not None
    assert (seen.memory == 123_456) is known
    assert seen.started is not None
    assert (tools / "asked").read_text().endswith("-- bot@1001.service\n")


@pytest.mark.parametrize(
    ("said", "running", "detail"),
    [
        (
            ACTIVE.replace("=active", "=failed").format(pid=0, memory=0),
            False,
            "systemd says failed (running)",
        ),
        (
            ACTIVE.replace("=active", "=inactive").format(pid=0, memory=0),
            False,
            "systemd says inactive (running)",
        ),
        (ACTIVE.replace("=active", "=activating").format(pid=0, memory=0), True, ""),
        # Crashed, and waits for its RestartSec: it starts at any moment.
        ("MainPID=0\nNRestarts=0\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart", True, ""),
        # Crashed until systemd gave up.
        (
            "MainPID=0\nNRestarts=5\nLoadState=loaded\nActiveState=failed\nSubState=failed",
            False,
            "systemd says failed (failed)",
        ),
        ("LoadState=not-found\nActiveState=inactive", None, "systemd has no such unit (not-found)"),
        (
            "MainPID=0\nNRestarts=0\nLoadState=bad-setting\nActiveState=inactive\nSubState=dead",
            None,
            "systemd cannot start the unit (bad-setting)",
        ),
        ("", None, "systemd has no such unit ()"),
    ],
)
def test_a_unit_that_does_not(tools: Path, said: str, running: bool | None, detail: str) -> None:
    put_unit(tools, said)
    seen = look_at(Process("systemd", "bot"))
    assert (seen.running, seen.detail) == (running, detail)


@pytest.mark.parametrize("loaded", ["not-found", "bad-setting"])
def test_a_unit_runs_on_when_its_file_is_removed_or_broken(tools: Path, loaded: str) -> None:
    put_unit(tools, ACTIVE.replace("=loaded", f"={loaded}").format(pid=os.getpid(), memory=123_456))
    seen = look_at(Process("systemd", "bot@1001"))
    assert (seen.running, seen.pid, seen.detail) == (True, os.getpid(), "")


@pytest.mark.parametrize("name", ["*", "--all", "-x", "a b", "bot@1001;x", ""])
def test_what_is_no_unit_is_asked_nowhere(tools: Path, name: str) -> None:
    put_unit(tools, ACTIVE)
    assert look_at(Process("systemd", name)).running is None
    with pytest.raises(ToolError, match="not the name of a systemd unit"):
        restart(Process("systemd", name))
    assert not (tools / "asked").exists()


def test_a_unit_is_restarted(tools: Path) -> None:
    put_unit(tools, "")
    restart(Process("systemd", "bot"))
    assert (tools / "asked").read_text() == "restart -- bot\n"


# --- pidfiles -----------------------------------------------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def test_a_pidfile_tells_of_its_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    pidfile = tmp_path / "bot.pid"
    process = Process("pidfile", str(pidfile))
    assert look_at(process).detail == "there is no such file"
    pidfile.write_text(f"{sleeper.pid}\n")
    seen = look_at(process)
    assert (seen.running, seen.pid) == (True, sleeper.pid)
    assert seen.memory
    assert seen.started is not None
    assert abs(datetime.now(UTC) - seen.started) < timedelta(seconds=30)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert look_at(process).running is False, "dead, though nobody has waited for it"
    sleeper.wait()
    assert look_at(process).running is False
    with pytest.raises(ToolError):
        restart(process)


def test_an_old_pidfile_is_not_believed_of_a_process_that_began_later(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    """Ids are used again. It may be the bot all the same, where the clock was set: nobody is told that it is down."""
    pidfile = tmp_path / "bot.pid"
    pidfile.write_text(str(sleeper.pid))
    os.utime(pidfile, (time.time() - 3600,) * 2)
    found = look_at(Process("pidfile", str(pidfile)))
    assert found.running is None
    assert "began after the pidfile was written" in found.detail


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "99999999999", "1 2", "1\0"])
def test_a_pidfile_without_an_id_tells_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "bot.pid").write_text(text)
    assert look_at(Process("pidfile", str(tmp_path / "bot.pid"))).running is None


# --- programs -----------------------------------------------------------------------------------------------


def test_a_program_that_hangs_is_killed_with_its_children(tools: Path) -> None:
    put(tools, "slow", f"sleep 30 & echo $! > {tools}/child; wait")
    started = time.monotonic()
    with pytest.raises(ToolError, match="did not come to its end within"):
        run_tool(["slow", "x"], 0.5)
    assert time.monotonic() - started < 15, "it would go on for thirty"
    child = int((tools / "child").read_text())
    assert has_ended(child)


def has_ended(child: int) -> bool:
    """Whether a process comes to its end, waited for by whoever took it over or not yet."""
    try:
        handle = os.pidfd_open(child)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([handle], [], [], 20)
    os.close(handle)
    return bool(ready)


def test_a_program_that_floods_is_stopped(tools: Path) -> None:
    put(tools, "flood", "yes")
    with pytest.raises(ToolError, match="printed more than 1 MiB"):
        run_tool(["flood", "x"], 20, limit=1 << 20)


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(ToolError, match="not found"):
        run_tool(["no-such-program", "x"], 1)


@pytest.mark.parametrize(
    ("script", "says"), [("#!/no/such/node\n", "No such file"), ("no script\n", "Exec format error")]
)
def test_a_program_that_cannot_be_run_is_said(
    tools: Path, daemon: socket.socket, script: str, says: str
) -> None:
    for name, process in (("pm2", Process("pm2", "shop")), ("systemctl", Process("systemd", "shop"))):
        put(tools, name, "").write_text(script)
        facts = look_at(process)
        assert facts.running is None
        assert f"{tools}/{name} cannot be run: {says}" in facts.detail
        with pytest.raises(ToolError, match="cannot be run"):
            restart(process)


# --- restarts -----------------------------------------------------------------------------------------------


def seen(restarts: int | None = None, pid: int | None = 7, started: int = 1000, **more: Any) -> ProcessFacts:
    moment = datetime.fromtimestamp(started, UTC)
    return ProcessFacts("pm2 x", True, pid=pid, restarts=restarts, started=moment)._replace(**more)


@pytest.mark.parametrize(
    ("before", "after", "restarts"),
    [
        (None, seen(5), None),
        (seen(5), seen(5), 0),
        (seen(5), seen(9), 4),
        (seen(5), seen(2), 2),
        (seen(None), seen(None), 0),
        (seen(None), seen(None, pid=8), 1),
        (seen(None), seen(None, started=2000), 1),
        (seen(None), seen(None, pid=None, running=False), None),
        (seen(5), seen(9, running=None), None),
        (seen(5, what="systemd x"), seen(9), None),
    ],
)
def test_restarts_between_two_looks(
    before: ProcessFacts | None, after: ProcessFacts, restarts: int | None
) -> None:
    remembered = json.loads(json.dumps(before.to_remember())) if before else None
    assert restarts_since(remembered, after) == restarts


def codes(facts: ProcessFacts, since: int | None, burst: int = 3) -> list[str]:
    return [found.code for found in process_findings("1001", facts, since, burst)]


def test_a_burst_is_a_finding_and_so_is_a_process_that_is_down() -> None:
    assert codes(seen(), 2) == []
    assert codes(seen(), 3) == ["restart-burst"]
    assert codes(seen(), None) == []
    assert codes(seen(running=False), 5) == ["process-down", "restart-burst"]
    assert codes(seen(running=None), None) == ["process-unknown"]


# --- settings -----------------------------------------------------------------------------------------------


def settings(tmp_path: Path, yaml: str) -> Settings:
    file = tmp_path / "c.yaml"
    file.write_text(yaml)
    return load_settings({}, {}, config=str(file), home=str(tmp_path), cwd=str(tmp_path)).settings


def test_each_company_has_its_process(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "process: {pm2: 'bot-{company}'}\ncompanies: {2: {process: {pm2: b}, bot_api: {name: x}}}"
    )
    assert process_of(found, "1") == Process("pm2", "bot-1")
    assert process_of(found, "2") == Process("pm2", "b")
    assert process_of(settings(tmp_path, "process: {restart: no}"), "1") is None


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        (
            "process: {pm2: a, systemd: b}\ncompanies: {2: {process: {restart: no}, bot_api: {name: x}}}",
            "process: process.pm2 (FILE:1)",
        ),
        (
            "process: {pm2: a}\ncompanies: {2: {process: {systemd: b}}}",
            "companies.2.process: process.pm2 (FILE:1)",
        ),
        ("companies: {2: {process: {pm2: a, pidfile: b}}}", "companies.2.process: process.pm2 (FILE:1)"),
    ],
)
def test_two_managers_of_one_process_are_refused_when_the_settings_are_read(
    tmp_path: Path, yaml: str, says: str
) -> None:
    """One company with both would otherwise end each run for all of them."""
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, yaml)
    (problem,) = refused.value.problems
    assert problem.startswith(says.replace("FILE", str(tmp_path / "c.yaml")))
    assert "give the one that the bot runs under" in problem


def test_a_look_is_compared_with_the_last_one(tmp_path: Path, tools: Path, daemon: socket.socket) -> None:
    found = settings(tmp_path, f"process: {{pm2: shop}}\nstate: {{dir: {tmp_path}/state}}")
    recorded_pm2(tools)
    with open_state(found.state.dir, NOW) as state:
        looked = processes(found, ["1", "2"])
        assert list(process_changes(state, found, looked)) == []
        assert (tools / "asked").read_text().count("jlist") == 1, "one look at what two companies share"
        listed = json.loads(RECORDED.read_text())
        listed[0]["pm2_env"]["restart_time"] += 3
        (tools / "later.json").write_text(json.dumps(listed))
        put(tools, "pm2", f"cat {tools}/later.json")
        bursts = list(process_changes(state, found, processes(found, ["1", "2"])))
        assert [(one.code, one.company, one.facts["restarts"]) for one in bursts] == [
            ("restart-burst", "1", 3),
            ("restart-burst", "2", 3),
        ]
        assert list(process_changes(state, found, processes(found, ["1", "2"]))) == []


# --- many at once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("recover", "--dry-run"), ("monitor-once",), ("doctor",)])
def test_pm2_is_asked_once_a_run(
    tools: Path, daemon: socket.socket, tmp_path: Path, words: tuple[str, ...]
) -> None:
    recorded_pm2(tools)
    for number in range(12):
        company_folder(tmp_path / "sessions", f"{2000 + number}")
    env = {
        "PATH": os.environ["PATH"],
        "PM2_HOME": os.environ["PM2_HOME"],
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_PROCESS__PM2": "bot-{company}",
    }
    done = run_cli(*words, env=env)
    assert (tools / "asked").read_text().splitlines() == ["jlist --silent"], done


def test_a_pm2_that_fails_is_asked_once_and_said_of_each(tools: Path, daemon: socket.socket) -> None:
    put(tools, "pm2", f"echo asked >> {tools}/asked\nexit 1")
    bots = [Process("pm2", f"bot-{number}") for number in range(5)]
    found = look_at_all(bots)
    assert [one.running for one in found.values()] == [None] * 5
    assert {one.what for one in found.values()} == set(map(str, bots))
    assert (tools / "asked").read_text().splitlines() == ["asked"]


def test_recover_does_the_same_work_for_each_of_many_as_for_each_of_few(tmp_path: Path) -> None:
    """Counted in calls of functions, and in what is read of the state: a clock would tell of the machine."""

    class CountingState(State):
        read = 0

        def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
            found = super().rows(sql, values)
            self.read += sum(len(str(value)) for row in found for value in row)
            return found

    def work_for(companies: int) -> tuple[int, int]:
        root, calls = tmp_path / f"of-{companies}", 0
        for number in range(companies):
            company_folder(root, f"{number}")
        settings = load_settings({}, {"BAILEYS_TOOLS_PROCESS__PIDFILE": f"{root}/{{company}}.pid"}).settings

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event == "call"

        state = CountingState(str(tmp_path / f"state-of-{companies}"), NOW)
        state.open()
        with state:
            with Root(str(root)) as there:
                look_once(settings, there, state, NOW)
            job = RecoverJob(settings, state, NOW, say=lambda text: None)
            run_recover(job, str(root), None)  # what is loaded at first use
            state.read = 0
            sys.setprofile(count)
            try:
                report = run_recover(job, str(root), None)
            finally:
                sys.setprofile(None)
        assert len(report.companies) == companies
        return calls, state.read

    few, many = work_for(10), work_for(40)
    assert few[1] > 10 * 100, "each has left something in the state"
    assert many[0] / few[0] < 4.5
    assert many[1] / few[1] < 4.5
