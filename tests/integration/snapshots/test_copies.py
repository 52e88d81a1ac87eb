"""Copies elsewhere against real servers on loopback: OpenSSH for SFTP, an HTTP endpoint that speaks S3."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest

from baileys_tools.config import load_settings
from baileys_tools.snapshots.backup import run_backup
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import CopyResult
from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults import forked
from tests.integration.faults.injection import traced
from tests.support import (
    COMMAND,
    company_folder,
    creds,
    missing,
    require_tool,
    scrubbed_environment,
    snapshot_tree,
    write_key,
)

run_cli = partial(forked.run_cli, loaded=("fsspec.implementations.sftp", "s3fs"))
"""The libraries of a place take longer to load than a run with it."""
OLD = timedelta(hours=3)
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "canary-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


class Cutter:
    """Stands between a client and a server, and hangs up after `limit` bytes towards the server."""

    def __init__(self, port: int) -> None:
        self.limit: int | None = None
        self.target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        passed = 0
        try:
            while content := source.recv(4096):
                passed += len(content)
                if counted and self.limit is not None and passed > self.limit:
                    break
                sink.sendall(content)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                end.close()


class Place:
    """A running server: the URL of a folder there by way of a cutter, and what a client needs."""

    def __init__(self, url: str, cutter: Cutter, env: dict[str, str]) -> None:
        self.url, self.cutter, self.env = url, cutter, env


@pytest.fixture
def sftp(tmp_path: Path, own_home: Path) -> Iterator[Place]:
    sshd = shutil.which("sshd") or shutil.which("/usr/sbin/sshd") or missing("sshd")
    pytest.importorskip("paramiko") if os.environ.get("CI") != "true" else None
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "client"):
        command = [require_tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)]
        subprocess.run(command, check=True)
    shutil.copy(keys / "client.pub", keys / "authorized")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # what an sshd of root's wants to be there
    port = free_port()
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        f"PidFile {tmp_path}/sshd.pid\nPermitRootLogin yes\n"
    )
    server = subprocess.Popen([sshd, "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        cutter = Cutter(port)
        ssh = own_home / ".ssh"
        ssh.mkdir(mode=0o700)
        (ssh / "config").write_text(
            f"Host vault\n  Hostname 127.0.0.1\n  Port {cutter.port}\n  IdentityFile {keys}/client\n"
        )
        public = (keys / "host.pub").read_text().rsplit(" ", 1)[0]
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{cutter.port} {public}\n")
        (tmp_path / "vault").mkdir()
        yield Place(f"sftp://vault{tmp_path}/vault", cutter, {})
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def s3_server() -> Iterator[int]:
    """The port of a server that speaks S3; its start costs more than a test."""
    try:
        import moto.server  # noqa: F401
        import s3fs  # noqa: F401
    except ImportError as error:
        missing(f"s3fs and moto ({error.name})")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        yield port
    finally:
        server.kill()
        server.wait()


def ask(port: int, method: str, path: str) -> None:
    """Have the server that speaks S3 do something, as its administrator could."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, headers={"Authorization": "AWS test:unchecked"})
        assert connection.getresponse().status in (200, 204)


@pytest.fixture
def s3(s3_server: int) -> Place:
    """The bucket `vault`, empty, and no other."""
    ask(s3_server, "POST", "/moto-api/reset")
    ask(s3_server, "PUT", "/vault")
    cutter = Cutter(s3_server)
    return Place("s3://vault/bots", cutter, KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{cutter.port}"})


@pytest.fixture(params=["sftp", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    root = tmp_path / "sessions"
    for company in ("1001", "1002"):
        folder = company_folder(root, company, {"session-1.0.json": OLD})
        write_key(folder, "creds.json", OLD, json.dumps(creds()))
        write_key(folder, "session-2.0.json", OLD, json.dumps({"random": os.urandom(30_000).hex()}))
    return root


def env_of(place: Place, sessions: Path, repository: Path, **more: str) -> dict[str, str]:
    return place.env | {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_BACKUP_PATH": str(repository),
        "BAILEYS_TOOLS_BACKUP__COPIES": place.url,
        "BAILEYS_TOOLS_COPIES__TIMEOUT": "5s",
        **more,
    }


def test_copies_are_sent_once_and_come_back_on_an_empty_machine(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    first = json.loads(run_cli("backup", "--json", env=env).stdout)
    assert first["copies"] == [
        {"target": place.url, "sent": 2, "removed": 0, "waiting": 0, "gone": 0, "trouble": "", "damaged": []}
    ]
    assert json.loads(run_cli("backup", "--json", env=env).stdout)["copies"][0]["sent"] == 0

    empty = env_of(place, sessions, tmp_path / "other-machine", BAILEYS_TOOLS_BACKUP__COPIES="")
    assert run_cli("backup", "--import", place.url, env=empty).returncode == 0
    names = [
        sorted(path.name for path in (tmp_path / at).rglob("*.zst")) for at in ("repository", "other-machine")
    ]
    assert names[0] == names[1]
    assert run_cli("verify", "--all", "--deep", env=empty).returncode == 0

    (tmp_path / "new-sessions").mkdir()
    empty["BAILEYS_SESSIONS_PATH"] = str(tmp_path / "new-sessions")
    for company in ("1001", "1002"):
        done = run_cli("restore", "--company", company, "--keep-sessions", "--yes", env=empty)
        assert done.returncode == 0, done.stderr
        name = f"company_{company}"
        assert_same_session(sessions / name, tmp_path / "new-sessions" / name)


def assert_same_session(before: Path, after: Path) -> None:
    """Every file as it was; only the pre-key counters of creds have gone past all that may have been uploaded."""
    was, now = snapshot_tree(before), snapshot_tree(after)
    assert was.keys() == now.keys()
    assert {name for name in was if was[name] != now[name]} <= {b"creds.json"}
    then = json.loads((before / "creds.json").read_text())
    fitted = json.loads((after / "creds.json").read_text())
    assert fitted["nextPreKeyId"] == fitted["firstUnuploadedPreKeyId"] > then["nextPreKeyId"]
    counters = dict.fromkeys(["nextPreKeyId", "firstUnuploadedPreKeyId"])
    assert {**fitted, **counters} == {**then, **counters}


def test_a_cut_connection_is_a_finding_and_the_next_run_makes_up_for_it(place, sessions, tmp_path):
    repository = tmp_path / "repository"
    env = env_of(place, sessions, repository)
    place.cutter.limit = 12_000
    cut = run_cli("backup", "--json", env=env)
    (copy,) = json.loads(cut.stdout)["copies"]
    assert cut.returncode == 4
    assert copy["trouble"]
    assert copy["waiting"] > 0
    assert "canary-secret" not in cut.stdout + cut.stderr
    with Repository(str(repository)) as opened:
        for company in ("1001", "1002"):
            opened.read_whole(opened.find(company))

    place.cutter.limit = None
    (copy,) = json.loads(run_cli("backup", "--json", env=env).stdout)["copies"]
    assert (copy["trouble"], copy["waiting"]) == ("", 0)
    empty = env_of(place, sessions, tmp_path / "other-machine")
    fetched = json.loads(run_cli("backup", "--import", place.url, "--json", env=empty).stdout)
    assert [company["fetched"] for company in fetched["companies"]] == [1, 1]


def test_copies_have_a_retention_of_their_own(place, sessions, tmp_path):
    rules = {f"BAILEYS_TOOLS_COPIES__KEEP_{rule}": "0" for rule in ("HOURLY", "DAILY", "WEEKLY", "MONTHLY")}
    rules |= {"BAILEYS_TOOLS_COPIES__KEEP_LAST": "2", "BAILEYS_TOOLS_COPIES__MINIMUM": "1"}
    env = env_of(place, sessions, tmp_path / "repository", **rules)
    for _ in range(4):
        assert run_cli("backup", "--force", "--company", "1001", env=env).returncode == 0
    empty = env_of(place, sessions, tmp_path / "other-machine")
    (company,) = json.loads(run_cli("backup", "--import", place.url, "--json", env=empty).stdout)["companies"]
    assert (company["fetched"], company["snapshot"]["sequence"]) == (2, 4)
    assert len(list((tmp_path / "repository").rglob("*.zst"))) == 4


def copies_by_the_doctor(env: dict[str, str]) -> tuple[str, str]:
    (check,) = [
        check
        for check in json.loads(run_cli("doctor", "--json", env=env).stdout)["checks"]
        if check["name"] == "copies"
    ]
    return check["outcome"], check["message"]


def test_the_doctor_tells_a_place_that_is_there_from_one_that_is_not(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    if place.url.startswith("s3:"):
        assert copies_by_the_doctor(env) == ("ok", f"{place.url} answers, 0 companies"), (
            "a prefix is made of keys"
        )
        nowhere = env | {"BAILEYS_TOOLS_BACKUP__COPIES": "s3://nowhere/bots"}
        said = "s3://nowhere/bots: there is no such bucket"
        assert copies_by_the_doctor(nowhere) == ("warning", said)
    else:
        (tmp_path / "vault").rmdir()
        assert copies_by_the_doctor(env) == ("note", f"{place.url} is not there yet")
    assert run_cli("backup", env=env).returncode == 0
    assert copies_by_the_doctor(env) == ("ok", f"{place.url} answers, 2 companies")


def test_an_unknown_host_key_is_refused(sftp, sessions, tmp_path, own_home):
    (own_home / ".ssh/known_hosts").write_text("")
    done = run_cli("backup", "--json", env=env_of(sftp, sessions, tmp_path / "repository"))
    assert done.returncode == 4
    assert "known_hosts" in json.loads(done.stdout)["copies"][0]["trouble"]
    assert not list((tmp_path / "vault").iterdir())


def test_sftp_copies_are_private(sftp, sessions, tmp_path):
    run_cli("backup", env=env_of(sftp, sessions, tmp_path / "repository"))
    for path in (tmp_path / "vault").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_damaged_copy_is_not_taken_in(sftp, sessions, tmp_path):
    run_cli("backup", env=env_of(sftp, sessions, tmp_path / "repository"))
    copy = next((tmp_path / "vault").rglob("*.zst"))
    copy.write_bytes(copy.read_bytes()[:-1])
    empty = env_of(sftp, sessions, tmp_path / "other-machine")
    done = run_cli(
        "backup", "--import", sftp.url, "--company", copy.parent.name.removeprefix("company_"), env=empty
    )
    assert done.returncode == 11
    assert not list((tmp_path / "other-machine").rglob("*.zst"))


@pytest.fixture
def disk(tmp_path: Path) -> str:
    """The URL of a mounted disk."""
    return f"file://{tmp_path}/disk/bots"


def local_env(url: str, sessions: Path, repository: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_BACKUP_PATH": str(repository),
        "BAILEYS_TOOLS_BACKUP__COPIES": url,
    }


def test_one_damaged_copy_keeps_no_other_from_coming_back(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    for _ in range(2):
        assert run_cli("backup", "--force", env=env).returncode == 0
    oldest = min((tmp_path / "disk/bots/company_1001").iterdir())
    oldest.write_bytes(oldest.read_bytes()[:-1])
    empty = local_env("", sessions, tmp_path / "other-machine")
    done = run_cli("backup", "--import", disk, "--json", env=empty)
    assert done.returncode == 11
    companies = json.loads(done.stdout)["companies"]
    assert [(one["fetched"], one["refused"]) for one in companies] == [(1, [1]), (2, [])]
    said = run_cli("backup", "--import", disk, env=empty)
    assert (said.returncode, "snapshot 1 there does not fit its hash" in said.stdout) == (11, True)
    assert run_cli("verify", "--all", "--deep", env=empty).returncode == 0


def without_power(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run our command as a user whom file modes stop: root, without its right to read and write everything."""
    drop = []
    if os.geteuid() == 0:
        drop = [require_tool("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
    return subprocess.run(
        [*drop, COMMAND, *words],
        env=scrubbed_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_import_leaves_the_place_as_it_is_and_takes_in_all_that_can_be_read(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    for _ in range(3):
        assert run_cli("backup", "--force", env=env).returncode == 0
    first, second, third = sorted((tmp_path / "disk/bots/company_1002").iterdir())
    second.unlink()
    second.mkdir()
    (tmp_path / "disk/bots/company_1002/.partial-of-an-upload").write_text("goes on")
    before = snapshot_tree(tmp_path / "disk")
    folders = [tmp_path / "disk/bots/company_1001", tmp_path / "disk/bots/company_1002"]
    modes = (0o000, 0o500)
    for folder, mode in zip(folders, modes, strict=True):
        folder.chmod(mode)
    empty = local_env("", sessions, tmp_path / "other-machine")
    done = without_power("backup", "--import", disk, "--json", env=empty)
    companies = json.loads(done.stdout)["companies"]
    assert [(one["status"], one["fetched"]) for one in companies] == [("failed", 0), ("taken", 2)]
    assert "Permission denied" in companies[0]["trouble"]
    assert "snapshot 2 there could not be taken in: " in companies[1]["trouble"]
    assert companies[1]["snapshot"]["sequence"] == 3
    assert done.returncode == 3
    for folder in folders:
        folder.chmod(0o700)
    assert snapshot_tree(tmp_path / "disk") == before
    taken_in = (tmp_path / "other-machine/company_1002").glob("*.zst")
    by_time = sorted(taken_in, key=lambda path: path.stat().st_mtime_ns)
    assert [path.name for path in by_time] == [third.name, first.name], "the newest first"


def test_a_connection_that_breaks_ends_an_import_and_the_next_one_goes_on(sftp, sessions, tmp_path):
    env = env_of(sftp, sessions, tmp_path / "repository")
    for _ in range(4):
        assert run_cli("backup", "--force", env=env).returncode == 0
    env |= {"BAILEYS_TOOLS_BACKUP__COPIES": ""}
    for limit in (5500, 6000, 6500, 7000):
        sftp.cutter.limit = limit
        env["BAILEYS_TOOLS_BACKUP_PATH"] = str(tmp_path / f"other-machine-{limit}")
        done = run_cli("backup", "--import", sftp.url, env=env)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"cannot fetch from {sftp.url}: " in done.stderr
    sftp.cutter.limit = None
    assert run_cli("backup", "--import", sftp.url, env=env).returncode == 0
    assert len(list((tmp_path / "other-machine-7000").rglob("*.zst"))) == 8


def test_what_a_cut_upload_left_is_removed_by_who_sends(sftp, sessions, tmp_path):
    env = env_of(sftp, sessions, tmp_path / "repository")
    assert run_cli("backup", env=env).returncode == 0
    partial = tmp_path / "vault/company_1001/.partial-0123"
    partial.write_text("cut")
    assert run_cli("backup", "--force", env=env).returncode == 0
    assert not partial.exists()


@pytest.mark.parametrize(("at", "company"), [("elsewhere", None), ("disk/bots", "1003")])
def test_an_import_that_finds_nothing_is_no_success(disk, sessions, tmp_path, at, company):
    assert run_cli("backup", env=local_env(disk, sessions, tmp_path / "repository")).returncode == 0
    options = ["--company", company] if company else []
    empty = local_env("", sessions, tmp_path / "other-machine")
    done = run_cli("backup", "--import", f"file://{tmp_path}/{at}", *options, env=empty)
    assert (done.returncode, "no snapshots" in done.stderr) == (10, True)


def test_a_host_set_up_anew_hears_that_its_copies_would_count_as_old(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    for _ in range(3):
        assert run_cli("backup", "--force", "--company", "1001", env=env).returncode == 0
    before = snapshot_tree(tmp_path / "disk")
    env = local_env(disk, sessions, tmp_path / "set-up-anew")
    done = run_cli("backup", "--json", env=env)
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["sent"], copy["waiting"]) == (4, 1, 1), "the other company has none there"
    assert "later snapshots of company 1001 than there are here" in copy["trouble"]
    assert snapshot_tree(tmp_path / "disk").items() >= before.items()
    assert run_cli("backup", "--import", disk, env=env).returncode == 0
    again = run_cli("backup", "--force", "--json", env=env)
    assert (again.returncode, json.loads(again.stdout)["copies"][0]["trouble"]) == (0, "")


def run_later(env: dict[str, str], after: timedelta) -> CopyResult:
    settings = load_settings({}, env).settings
    places = env["BAILEYS_SESSIONS_PATH"], env["BAILEYS_TOOLS_BACKUP_PATH"]
    (copy,) = run_backup(settings, *places, datetime.now(UTC) + after).copies or ()
    return copy


def test_what_a_disk_lost_is_told_and_sent_again_by_the_next_run(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    assert run_cli("backup", env=env).returncode == 0
    shutil.rmtree(tmp_path / "disk/bots/company_1001")
    (lost,) = (tmp_path / "disk/bots/company_1002").iterdir()
    lost.unlink()
    done = run_cli("backup", env=env)
    assert done.returncode == 4
    assert "2 sent (2 snapshots that had been there were gone or cut off)" in done.stdout
    assert lost.is_file()
    assert run_later(env, timedelta(minutes=5)) == CopyResult(disk, damaged=[])


def wipe(place: Place, tmp_path: Path, folder: str) -> None:
    """Remove what a server has there, as its administrator could."""
    if place.url.startswith("sftp"):
        shutil.rmtree(tmp_path / "vault" / folder)
    else:
        for copy in (tmp_path / "repository" / folder).glob("*.zst"):
            ask(place.cutter.target, "DELETE", f"/vault/bots/{folder}/{copy.name}")


def test_a_company_that_was_wiped_on_a_server_is_sent_again_by_the_next_run(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    assert run_cli("backup", env=env).returncode == 0
    wipe(place, tmp_path, "company_1001")
    done = run_cli("backup", "--json", env=env)
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["sent"], copy["gone"], copy["trouble"]) == (4, 1, 1, "")
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    place.cutter.limit = 0
    quiet = run_cli("backup", "--json", env=env)
    (copy,) = json.loads(quiet.stdout)["copies"]
    assert (quiet.returncode, copy["trouble"]) == (0, ""), "nothing waits for it: a server may be away"


def test_check_says_of_a_server_what_is_missing_and_the_next_backup_sends_it(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    assert run_cli("backup", env=env).returncode == 0
    assert run_cli("backup", "--force", "--company", "1002", env=env).returncode == 0
    done = run_cli("copies", "check", "--read", "--json", env=env)
    document = checked_json(done.stdout, "copies-check")
    (found,) = document["places"]
    assert (done.returncode, found["well"]) == (0, True)
    assert [(one["there"], one["read"]) for one in found["companies"]] == [(1, 1), (2, 1)]
    wipe(place, tmp_path, "company_1001")
    done = run_cli("copies", "check", env=env)
    assert done.returncode == 4
    assert "company 1001: 1 snapshot missing (1 had been there)" in done.stdout
    (copy,) = json.loads(run_cli("backup", "--json", env=env).stdout)["copies"]
    assert (copy["sent"], copy["trouble"]) == (1, "")
    assert run_cli("copies", "check", "--quiet", env=env).returncode == 0


def test_a_copy_that_is_cut_off_is_sent_again_a_day_later(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    assert run_cli("backup", env=env).returncode == 0
    if place.url.startswith("sftp"):
        for copy, size in zip(sorted((tmp_path / "vault").rglob("*.zst")), (0, 100), strict=True):
            os.truncate(copy, size)
    else:
        for copy in (tmp_path / "repository").rglob("*.zst"):
            ask(place.cutter.target, "PUT", f"/vault/bots/{copy.parent.name}/{copy.name}")
    state = tmp_path / "repository/copies.json"
    document = json.loads(state.read_text())
    state.write_text(json.dumps(document | {"listed_at": {}}))
    (copy,) = json.loads(run_cli("backup", "--json", env=env).stdout)["copies"]
    assert (copy["sent"], copy["trouble"]) == (2, "")
    empty = env_of(place, sessions, tmp_path / "other-machine", BAILEYS_TOOLS_BACKUP__COPIES="")
    assert run_cli("backup", "--import", place.url, env=empty).returncode == 0


def test_a_good_copy_outlives_that_the_snapshot_here_is_cut_off(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    assert run_cli("backup", env=env).returncode == 0
    for snapshot in (tmp_path / "repository").rglob("*.zst"):
        os.truncate(snapshot, 100)
    (tmp_path / "repository/copies.json").unlink()
    (copy,) = json.loads(run_cli("backup", "--json", env=env).stdout)["copies"]
    assert (copy["sent"], len(copy["damaged"])) == (0, 2)
    empty = env_of(place, sessions, tmp_path / "other-machine", BAILEYS_TOOLS_BACKUP__COPIES="")
    fetched = json.loads(run_cli("backup", "--import", place.url, "--json", env=empty).stdout)
    assert [company["fetched"] for company in fetched["companies"]] == [1, 1]


def test_a_copy_on_a_disk_is_synced_before_it_has_its_name_and_so_are_its_folders(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    command: list[str | Path] = [COMMAND, "backup", "--quiet", "--company", "1001"]
    run, made = traced(command, "-f", "-y", calls=["fsync", "renameat"], env=env)
    assert run.returncode == 0, run.stderr
    bots = f"{tmp_path}/disk/bots"
    calls = [call for call in made if call.name == "fsync" or bots in call.text]
    (renamed,) = [at for at, call in enumerate(calls) if call.name == "renameat"]
    assert f"<{bots}/company_1001/.partial-" in calls[renamed - 1].text
    assert f"<{bots}/company_1001>" in calls[renamed + 1].text
    for folder in (tmp_path, tmp_path / "disk", bots):
        assert any(f"<{folder}>" in call.text for call in calls[:renamed] if call.name == "fsync"), folder


def rot(path: Path) -> None:
    """One bit, as a bad disk does it: the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_snapshot_that_is_damaged_here_is_marked_and_keeps_no_other_from_leaving(place, sessions, tmp_path):
    env = env_of(place, sessions, tmp_path / "repository")
    for _ in range(2):
        assert run_cli("backup", "--force", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": ""}).returncode == 0
    rotten, whole = sorted((tmp_path / "repository/company_1001").glob("*.zst"))
    rot(rotten)
    done = run_cli("backup", "--json", env=env)
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["sent"], copy["waiting"], copy["trouble"]) == (4, 3, 0, "")
    assert copy["damaged"] == [{"company": "1001", "sequence": 1}]
    assert not rotten.exists()
    assert Path(f"{rotten}.damaged").exists()
    assert run_cli("backup", env=env).returncode == 0, "it was news, and is not found again"
    empty = env_of(place, sessions, tmp_path / "other-machine")
    assert run_cli("backup", "--import", place.url, env=empty).returncode == 0
    assert [path.name for path in (tmp_path / "other-machine/company_1001").glob("*.zst")] == [whole.name]


def test_a_snapshot_that_is_damaged_here_takes_nobodys_place_there(disk, sessions, tmp_path):
    rules = {f"BAILEYS_TOOLS_COPIES__KEEP_{rule}": "0" for rule in ("HOURLY", "DAILY", "WEEKLY", "MONTHLY")}
    rules |= {"BAILEYS_TOOLS_COPIES__KEEP_LAST": "2", "BAILEYS_TOOLS_COPIES__MINIMUM": "1"}
    env = local_env(disk, sessions, tmp_path / "repository") | rules
    for copies in (disk, disk, "", ""):
        run_cli("backup", "--force", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": copies})
    rot(sorted((tmp_path / "repository/company_1001").glob("*.zst"))[2])
    assert run_cli("backup", env=env).returncode == 4
    bots = tmp_path / "disk/bots"
    assert [len(list((bots / f"company_{company}").glob("*.zst"))) for company in ("1001", "1002")] == [3, 2]
    run_later(env, timedelta(hours=25))
    for company, kept in ("1001", ["00000002", "00000004"]), ("1002", ["00000003", "00000004"]):
        there = sorted((bots / f"company_{company}").glob("*.zst"))
        assert [path.name.split("-")[0] for path in there] == kept


def test_what_is_damaged_here_is_said_of_its_company_and_sent_nowhere(disk, sessions, tmp_path):
    other = tmp_path / "other-disk"
    env = local_env(f"{disk},file://{other}", sessions, tmp_path / "repository")
    assert run_cli("backup", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": ""}).returncode == 0
    rot(next((tmp_path / "repository/company_1001").glob("*.zst")))
    done = run_cli("backup", "--quiet", "--company", "1002", env=env)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines() == [
        "company 1001: snapshot 1 does not fit its hash and is marked as damaged"
    ]
    for at in (tmp_path / "disk/bots", other):
        assert [path.parent.name for path in at.rglob("*.zst")] == ["company_1002"]


def test_a_company_that_a_place_cannot_take_stops_no_other(disk, sessions, tmp_path):
    (tmp_path / "disk/bots").mkdir(parents=True)
    (tmp_path / "disk/bots/company_1001").write_text("no folder")
    env = local_env(disk, sessions, tmp_path / "repository")
    done = run_cli("backup", "--json", env=env)
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["sent"], copy["waiting"]) == (4, 1, 1)
    assert "company 1001: " in copy["trouble"]
    (tmp_path / "disk/bots/company_1001").unlink()
    again = run_cli("backup", "--json", env=env)
    assert (again.returncode, json.loads(again.stdout)["copies"][0]["sent"]) == (0, 1)


def test_the_newest_of_every_company_is_sent_before_older_ones(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    for _ in range(3):
        run_cli("backup", "--force", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": ""})
    assert run_cli("backup", env=env).returncode == 0
    sent = sorted((tmp_path / "disk/bots").rglob("*.zst"), key=lambda path: path.stat().st_mtime_ns)
    assert [int(path.name.split("-")[0]) for path in sent] == [3, 3, 2, 2, 1, 1]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_in_the_repository_is_named_and_stops_nothing(disk, sessions, tmp_path, kind):
    stray = tmp_path / "repository/company_old.tgz"
    env = local_env(disk, sessions, tmp_path / "repository")
    (tmp_path / "repository").mkdir()
    stray.write_text("x") if kind == "file" else stray.symlink_to(tmp_path)
    for sent in (2, 0):
        done = run_cli("backup", "--json", env=env)
        (copy,) = json.loads(done.stdout)["copies"]
        assert (done.returncode, copy["sent"], copy["waiting"]) == (4, sent, 0)
        assert f"{stray} cannot be listed" in copy["trouble"]
    stray.unlink()
    assert run_cli("backup", env=env).returncode == 0


@pytest.mark.parametrize("after", [timedelta(0), timedelta(hours=25)])
def test_a_disk_that_is_not_mounted_is_a_finding_and_nothing_is_written_below_it(
    disk, sessions, tmp_path, after
):
    env = local_env(disk, sessions, tmp_path / "repository")
    mount = tmp_path / "disk/bots"
    assert run_cli("backup", env=env).returncode == 0
    mount.rename(tmp_path / "unmounted")
    assert "is its disk mounted?" in run_later(env, after).trouble
    assert not mount.exists()
    mount.mkdir()
    assert "is its disk mounted?" in run_later(env, after).trouble
    done = run_cli("backup", "--force", "--json", env=env)
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["sent"], copy["waiting"]) == (4, 0, 2)
    assert not list(mount.iterdir())
    (tmp_path / "repository/copies.json").unlink()
    again = run_cli("backup", "--json", env=env)
    assert (again.returncode, json.loads(again.stdout)["copies"][0]["sent"]) == (0, 4)


def test_copies_on_a_disk_are_private_from_the_first_folder_made(disk, sessions, tmp_path):
    env = local_env(disk, sessions, tmp_path / "repository")
    command = f"umask 000; exec {sys.executable} -m baileys_tools backup --quiet"
    subprocess.run(["sh", "-c", command], env=os.environ | env, check=True)
    for path in [tmp_path / "disk", *(tmp_path / "disk").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


NO_URLS = (
    "sftp://[::1/x",
    "sftp://host:99999/x",
    "sftp://host:0/x",
    "sftp://me:can/ary@host/x",
    "sftp:///x",
    "ftp://host/x",
)


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_of_a_place_is_a_wrong_usage(sessions, tmp_path, url):
    env = local_env("", sessions, tmp_path / "repository")
    for done in (
        run_cli("backup", "--import", url, env=env),
        run_cli("backup", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": url}),
    ):
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert "ary" not in done.stderr
    assert not list((tmp_path / "repository").rglob("*.zst"))


def test_a_password_in_the_url_is_refused_and_not_shown(sessions, tmp_path):
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    done = run_cli("backup", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": "sftp://me:canary@host/x"})
    assert done.returncode == 2
    assert "canary" not in done.stdout + done.stderr


# --- a place that is not what it seems ----------------------------------------------------------------------


def seven_snapshots(sessions: Path, repository: Path) -> list[str]:
    """Fill the repository with seven snapshots of company 1001; return their names."""
    env = local_env("", sessions, repository)
    for _ in range(7):
        assert run_cli("backup", "--force", "--company", "1001", env=env).returncode == 0
    return sorted(path.name for path in repository.rglob("company_1001/*.zst"))


def keeping_one(url: str, sessions: Path, repository: Path) -> dict[str, str]:
    keep = {f"BAILEYS_TOOLS_COPIES__{name}": "0" for name in ("KEEP_DAILY", "KEEP_WEEKLY", "KEEP_MONTHLY")}
    return local_env(url, sessions, repository) | {"BAILEYS_TOOLS_COPIES__KEEP_LAST": "1"} | keep


def test_a_link_in_a_place_that_leads_into_the_repository_loses_no_snapshot(disk, sessions, tmp_path):
    repository = tmp_path / "repository"
    names = seven_snapshots(sessions, repository)
    place = tmp_path / "disk/bots"
    place.mkdir(parents=True)
    (place / "company_1001").symlink_to(repository / "company_1001")
    done = run_cli("backup", "--json", env=keeping_one(disk, sessions, repository))
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["removed"]) == (4, 0)
    assert "company 1001: " in copy["trouble"]
    assert "a link, which is not followed" in copy["trouble"]
    assert copy["sent"] == 1, "the other company goes there all the same"
    assert sorted(path.name for path in repository.rglob("company_1001/*.zst")) == names


def test_a_link_on_an_sftp_server_that_leads_into_the_repository_loses_no_snapshot(sftp, sessions, tmp_path):
    repository = tmp_path / "repository"
    names = seven_snapshots(sessions, repository)
    (tmp_path / "vault").mkdir(exist_ok=True)
    (tmp_path / "vault/company_1001").symlink_to(repository / "company_1001")
    done = run_cli("backup", "--json", env=sftp.env | keeping_one(sftp.url, sessions, repository))
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["removed"]) == (4, 0)
    assert "a link, which is not followed" in copy["trouble"]
    assert sorted(path.name for path in repository.rglob("company_1001/*.zst")) == names


def test_a_server_that_is_this_host_does_not_get_the_repository_itself(sftp, sessions, tmp_path):
    repository = tmp_path / "repository"
    names = seven_snapshots(sessions, repository)
    itself = f"sftp://vault{repository}"
    done = run_cli("backup", "--json", env=sftp.env | keeping_one(itself, sessions, repository))
    (copy,) = json.loads(done.stdout)["copies"]
    assert (done.returncode, copy["removed"]) == (4, 0)
    assert "is the folder in the backup repository" in copy["trouble"]
    assert sorted(path.name for path in repository.rglob("company_1001/*.zst")) == names


def test_files_that_are_links_in_a_place_are_not_read(disk, sessions, tmp_path):
    repository = tmp_path / "repository"
    (name,) = seven_snapshots(sessions, repository)[-1:]
    place = tmp_path / "disk/bots/company_1001"
    place.mkdir(parents=True)
    (place / name).symlink_to(repository / "company_1001" / name)
    done = run_cli("backup", "--import", disk, env=local_env("", sessions, tmp_path / "other"))
    assert not list((tmp_path / "other").rglob("*.zst")), done


def test_a_session_folder_gets_neither_snapshots_nor_copies(disk, sessions, tmp_path):
    """By handle, whatever the paths say: nobody who was let in by a path may write beside a login."""
    place = tmp_path / "disk/bots"
    place.mkdir(parents=True)
    shutil.copytree(sessions / "company_1001", place / "company_1001")
    (tmp_path / "repository").mkdir()
    shutil.copytree(sessions / "company_1002", tmp_path / "repository/company_1002")
    done = run_cli("backup", "--json", env=local_env(disk, sessions, tmp_path / "repository"))
    report = json.loads(done.stdout)
    (copy,) = report["copies"]
    assert "is a session folder: creds.json is in it" in copy["trouble"]
    assert [one.get("trouble", "") != "" for one in report["companies"]] == [False, True]
    for folder in (place / "company_1001", tmp_path / "repository/company_1002"):
        assert not [path for path in folder.rglob("*") if "zst" in path.name or "partial" in path.name]
