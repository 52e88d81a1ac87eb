"""The guard bites: in the tests' own process, in a child, in a child of a child, and where a test undid its setting."""

from __future__ import annotations

import os
import pwd
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import guard
from tests.support import COMMAND, company_folder, missing, run_cli, scrubbed_environment

SAYS = "a test must stay in its own places"
REAL_HOME = pwd.getpwuid(os.geteuid()).pw_dir
FORBIDDEN = os.environ["TESTS_GUARD_FORBIDDEN"].split(":")
TELEPHONE_BOOK = ("192.0.2.1", 443)
"""An address that is nobody's (RFC 5737)."""


@pytest.fixture
def bitten(own_home: Path) -> Iterator[list[str]]:
    """What the guard has refused, without which the test fails; with it, it does not."""
    refused: list[str] = []
    yield refused
    refused += guard.bites()
    assert refused


@pytest.fixture(scope="module")
def early() -> dict[str, str]:
    """The environment of a fixture that runs before any test has its own home."""
    return dict(os.environ)


def test_each_test_has_a_home_of_its_own(own_home: Path) -> None:
    assert Path.home() == own_home != Path(REAL_HOME)
    assert not any(name.startswith(("XDG_", "BAILEYS_SESSIONS")) for name in os.environ)


def test_there_is_nothing_of_the_callers_to_go_back_to(
    monkeypatch: pytest.MonkeyPatch, early: dict[str, str]
) -> None:
    monkeypatch.undo()
    for environment in (early, dict(os.environ), scrubbed_environment()):
        for name in ("HOME", "BAILEYS_TOOLS_STATE_DIR"):
            assert Path(environment[name]).is_relative_to(guard.scratch()), name
        assert os.access(environment["HOME"], os.W_OK)
    known = guard.KEPT | {"HOME", "BAILEYS_TOOLS_STATE_DIR", "TESTS_GUARD_KERNEL", *guard.PASSED_ON}
    assert {name for name in os.environ if not name.startswith(guard.KEPT_PREFIXES)} <= known


@pytest.mark.parametrize("root", FORBIDDEN)
def test_it_refuses_to_write_into_a_real_installation(root: str, bitten: list[str]) -> None:
    with pytest.raises(BaseException, match=SAYS):
        Path(root, "config.yaml").write_text("")
    with pytest.raises(BaseException, match=SAYS):
        os.mkdir(root)
    with pytest.raises(BaseException, match=SAYS):
        sqlite3.connect(f"{root}/state.sqlite3")
    with pytest.raises(BaseException, match=SAYS):
        os.rename("anything", f"{root}/config.yaml")


def test_it_refuses_every_place_that_no_test_made(bitten: list[str]) -> None:
    for place in (REAL_HOME, "/etc", "/var/lib", "/opt"):
        with pytest.raises(BaseException, match=SAYS):
            Path(place, "anything").write_text("")
        with pytest.raises(BaseException, match=SAYS):
            Path(place, "anything").unlink()


def test_it_knows_the_folder_of_a_handle(bitten: list[str]) -> None:
    handle = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(BaseException, match=SAYS):
            os.mkdir("anything", dir_fd=handle)
        with pytest.raises(BaseException, match=SAYS):
            os.unlink("anything", dir_fd=handle)
    finally:
        os.close(handle)


def test_it_refuses_to_read_real_settings_but_lets_the_search_pass(tmp_path: Path) -> None:
    """In a child, whose real home is a folder of this test."""
    program = """if True:
        import pathlib, sys
        settings = pathlib.Path(sys.argv[1], "config.yaml")
        try:
            settings.open()
        except FileNotFoundError:
            print("searched")
        (settings.parents[1] / "ours").write_text("sessions: {}")
        (settings.parents[1] / "ours").rename(settings.parents[1] / "still ours")
        print(settings.read_text())
        """
    (tmp_path / "real").mkdir()
    child = [sys.executable, "-c", program, str(tmp_path / "real")]
    environment = scrubbed_environment({"TESTS_GUARD_FORBIDDEN": str(tmp_path / "real")})
    searched = subprocess.run(child, env=environment, capture_output=True, text=True, check=False)
    assert (searched.stdout, "FileNotFoundError" in searched.stderr) == ("searched\n", True)
    assert [*guard.bites()] == []
    (tmp_path / "real" / "config.yaml").write_text("a: secret")
    refused = subprocess.run(child, env=environment, capture_output=True, text=True, check=False)
    assert SAYS in refused.stderr
    assert len([*guard.bites()]) == 1


def test_it_refuses_an_address_that_no_test_made(bitten: list[str]) -> None:
    for name in ("hooks.example.org", "api.telegram.org"):
        with pytest.raises(BaseException, match=SAYS):
            socket.getaddrinfo(name, 443)
    with socket.socket() as one, pytest.raises(BaseException, match=SAYS):
        one.connect(TELEPHONE_BOOK)
    with socket.socket(type=socket.SOCK_DGRAM) as one, pytest.raises(BaseException, match=SAYS):
        one.sendto(b"", TELEPHONE_BOOK)
    with socket.socket(socket.AF_UNIX) as one, pytest.raises(BaseException, match=SAYS):
        one.connect("/var/lib/anything")


def test_the_command_itself_is_guarded(bitten: list[str], tmp_path: Path) -> None:
    """In both ways that a test of the whole command can go wrong: it writes, it sends."""
    place = FORBIDDEN[0]
    sessions = str(company_folder(tmp_path).parent)
    written = run_cli("report", "--html", f"{place}/report.html", env={"BAILEYS_SESSIONS_PATH": sessions})
    assert written.returncode != 0
    assert SAYS in written.stderr
    assert not os.path.exists(f"{place}/report.html")
    assert [*guard.bites()]
    sent = run_cli("notify", "test", env={"NOTIFICATION_WEBHOOK": "http://192.0.2.1/"}, timeout=30)
    assert sent.returncode != 0
    assert "http" not in sent.stdout.partition("delivered")[2]


def test_a_child_of_a_child_is_guarded(bitten: list[str]) -> None:
    inner = f"open({FORBIDDEN[0] + '/config.yaml'!r}, 'w')"
    outer = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {inner!r}]).returncode)"
    done = subprocess.run([sys.executable, "-c", outer], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert SAYS in done.stderr


@pytest.mark.parametrize("environment", [{}, {"HOME": REAL_HOME}, {"PATH": "/usr/bin:/bin"}])
def test_no_child_starts_with_another_home(environment: dict[str, str], bitten: list[str]) -> None:
    with pytest.raises(BaseException, match=SAYS):
        subprocess.run([COMMAND, "--version"], env=environment, check=False)
    with pytest.raises(BaseException, match=SAYS):
        os.posix_spawn("/bin/true", ["true"], environment)


@pytest.mark.root
def test_where_the_kernel_guards_other_programs_are_held_as_well() -> None:
    if not guard.has_kernel():
        missing(f"namespaces for the tests ({os.environ['TESTS_GUARD_KERNEL']})")
    for place in ("/etc", "/var/lib", REAL_HOME, "/opt"):
        touched = subprocess.run(["touch", f"{place}/anything"], capture_output=True, text=True, check=False)
        assert "Read-only file system" in touched.stderr, place
    with open("/proc/net/route") as routes:
        assert len(routes.readlines()) == 1, "no way out but loopback"
    interfaces = [name for _, name in socket.if_nameindex()]
    assert interfaces == ["lo"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
