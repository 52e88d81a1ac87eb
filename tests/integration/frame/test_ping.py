"""Dead-man's pings: what arrives for which end, and that they never hold up or fail a command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.frame.ping_http import END_SECONDS, START_SECONDS, ping_end, ping_start
from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Server, answering, hangs, speaking
from tests.support import company_folder


@pytest.fixture
def server() -> Iterator[Server]:
    with answering(lambda _: Reply("OK")) as server:
        yield server


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    company_folder(tmp_path / "sessions")
    return tmp_path / "sessions"


def pinged(server: Server) -> list[tuple[str, str]]:
    return [(asked.path, asked.body.decode()) for asked in server.requests]


def test_a_command_pings_at_its_start_and_at_its_end(server: Server, sessions: Path) -> None:
    env = {"BAILEYS_TOOLS_PING__URL": f"{server.url}/key/{{command}}"}
    done = run_cli("cleanup", "--quiet", "--sessions", sessions, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (first, start), (last, text) = pinged(server)
    assert (first, start) == ("/key/cleanup/start", "")
    assert last == "/key/cleanup"
    assert text.startswith("baileys-tools cleanup: exit code 0\n")


def test_a_failure_pings_fail_with_its_exit_code(server: Server, tmp_path: Path) -> None:
    env = {"BAILEYS_TOOLS_PING__URL": f"cleanup: {server.url}/a-check?x=1\n"}
    done = run_cli("cleanup", "--quiet", "--sessions", tmp_path / "nothing", env=env)
    assert done.returncode == 2
    assert [path for path, _ in pinged(server)] == ["/a-check/start?x=1", "/a-check/fail?x=1"]
    assert pinged(server)[1][1].startswith(f"baileys-tools cleanup: exit code {done.returncode}")


def test_what_watching_finds_is_no_failure_of_watching(server: Server, sessions: Path) -> None:
    (sessions / "company_1001" / "creds.json").write_text("")
    (sessions / "company_1001" / "pre-key-1.json").write_text("{}")
    env = {"BAILEYS_TOOLS_PING__URL": f"{server.url}/{{command}}"}
    assert run_cli("monitor-once", "--quiet", "--sessions", sessions, env=env).returncode == 5
    assert [path for path, _ in pinged(server)] == ["/monitor-once/start", "/monitor-once"]


def test_a_dry_run_and_a_command_that_cron_does_not_run_are_not_pinged(
    server: Server, sessions: Path
) -> None:
    env = {"BAILEYS_TOOLS_PING__URL": f"{server.url}/{{command}}"}
    run_cli("cleanup", "--dry-run", "--sessions", sessions, env=env)
    run_cli("undo", "--sessions", sessions, env=env)
    assert pinged(server) == []


def test_a_recover_that_may_only_look_did_the_work_that_cron_gave_it(server: Server, sessions: Path) -> None:
    env = {"BAILEYS_TOOLS_PING__URL": f"{server.url}/{{command}}"}
    run_cli("recover", "--quiet", "--sessions", sessions, env=env)
    assert [path for path, _ in pinged(server)] == ["/recover/start", "/recover"]
    run_cli("recover", "--quiet", "--dry-run", "--sessions", sessions, env=env)
    assert len(pinged(server)) == 2


@pytest.mark.parametrize("quiet", [True, False])
def test_a_ping_that_nobody_takes_changes_nothing(sessions: Path, quiet: bool) -> None:
    flags = ["--quiet"] if quiet else []
    with speaking(hangs) as url:
        started = time.monotonic()
        done = run_cli("cleanup", *flags, "--sessions", sessions, env={"BAILEYS_TOOLS_PING__URL": url})
        assert time.monotonic() - started < START_SECONDS + END_SECONDS + 4
    assert done.returncode == 0
    assert done.stderr == ("" if quiet else "baileys-tools: the ping was not taken: no answer within 5 s\n")


def test_a_redirect_is_no_success_and_not_followed(server: Server) -> None:
    with answering(lambda _: Reply("", 302, {"Location": server.url})) as other:
        assert ping_start(other.url) == "answered 302"
        assert ping_end(other.url, succeeded=True, text="x") == "answered 302"
    assert server.requests == []


def test_without_an_address_nothing_of_the_network_is_loaded(sessions: Path) -> None:
    code = (
        "import sys\nfrom baileys_tools.cli import main\n"
        "try:\n    main()\nfinally:\n    print(sorted({'httpcore', 'ssl', 'socket'} & set(sys.modules)))"
    )
    words = ["cleanup", "--quiet", "--sessions", str(sessions)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(("code", "paths"), [(ExitCode.LOCKED, []), (ExitCode.PARTLY_FAILED, ["/x/fail"])])
def test_a_run_that_found_all_locked_pings_no_end(server: Server, code: ExitCode, paths: list[str]) -> None:
    from baileys_tools.frame.pings import Pings

    pings = Pings(f"{server.url}/x")
    pings.end("backup", code, {"companies": 3})
    assert [path for path, _ in pinged(server)] == ["/x/start", *paths]
