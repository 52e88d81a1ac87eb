"""What is shipped: wheel, sdist, image, compose file, Kubernetes jobs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml

import baileys_tools
from baileys_tools.cli.manpage import all_commands
from baileys_tools.config.schema import SCHEMA
from baileys_tools.host.rules.cron import JOBS
from fixtures.lay import lay
from tests.support import require_tool, run_cli, scrubbed_environment

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and a source distribution, built without the network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True
    )
    return folder


def test_the_wheel_has_the_package_the_man_page_and_nothing_else(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path)
    stem = f"baileys_tools-{baileys_tools.__version__}"
    assert {name.split("/")[0] for name in names} == {"baileys_tools", f"{stem}.data", f"{stem}.dist-info"}
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*") if path.is_file()}
    assert {f"baileys_tools/{path}" for path in pages} <= names, "help and explain read them"
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "baileys_tools").rglob("*.py")}
    assert modules <= names
    assert "baileys_tools/py.typed" in names
    assert f"{stem}.data/data/share/man/man1/baileys-tools.1" in names
    assert f"{stem}.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    run = subprocess.run(
        [sys.executable, "-P", "-m", "baileys_tools", "--version"],
        env=scrubbed_environment({"PYTHONPATH": str(tmp_path)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.stdout.split()[-1] == baileys_tools.__version__, run.stderr
    told = subprocess.run(
        [sys.executable, "-P", "-m", "baileys_tools", "explain", "creds-empty"],
        env=scrubbed_environment({"PYTHONPATH": str(tmp_path)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "To type: " in told.stdout, "from the pages in the wheel"


def test_the_source_distribution_can_be_built_and_read(dist: Path) -> None:
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "crontab.example",
        "docs/baileys-tools.1",
    ):
        assert needed in names
    assert {name.split("/")[0] for name in names if "/" in name} == {"baileys_tools", "docs", "packaging"}


def every_value(document: Any, key: str) -> list[Any]:
    """All values of `key`, anywhere in a document."""
    if isinstance(document, list):
        return [found for item in document for found in every_value(item, key)]
    if not isinstance(document, dict):
        return []
    below = [found for value in document.values() for found in every_value(value, key)]
    return [document[key], *below] if key in document else below


def test_the_compose_file_is_one() -> None:
    compose = yaml.safe_load((PACKAGING / "compose.yaml").read_text())
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text())
    rules = jsonschema.Draft7Validator(schema)
    rules.validate(compose)
    with pytest.raises(jsonschema.ValidationError):
        rules.validate(compose | {"services": {"bot": {"imag": "x"}}})

    keeper = compose["services"]["baileys-tools"]
    assert (PACKAGING / keeper["build"]["context"] / keeper["build"]["dockerfile"]).is_file()
    assert keeper["user"] == compose["services"]["bot"]["user"]
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]}
    assert used == set(compose["volumes"])
    mounted = {volume.split(":")[1] for volume in keeper["volumes"]}
    assert mounted == set(json.loads(re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.MULTILINE)[0]))
    known = {name for setting in SCHEMA.settings.values() for name in setting.env} | {"TZ"}
    assert set(keeper["environment"]) <= known


DOCKERFILE = (PACKAGING / "Dockerfile").read_text()


def test_the_image_is_not_root_and_copies_what_exists() -> None:
    assert re.search(r"^USER 1000:1000$", DOCKERFILE, re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in (PACKAGING / "Dockerfile.dockerignore").read_text().splitlines(), source
    known = {name for setting in SCHEMA.settings.values() for name in setting.env}
    assert set(re.findall(r"(BAILEYS_\w+)=", DOCKERFILE)) <= known
    (words,) = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert " ".join(json.loads(words)) in {name for name, _, _ in all_commands()}


class Engine(NamedTuple):
    """A container engine that can run a container here."""

    name: str
    to_build: tuple[str, ...] = ()
    to_run: tuple[str, ...] = ()

    def __call__(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([self.name, *words], capture_output=True, text=True, timeout=580)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done


ENGINES = (
    Engine("docker"),
    Engine("podman"),
    # Where podman itself runs in something like a container: no cgroups of version 2, limits that cannot be raised.
    Engine(
        "podman",
        ("--isolation=chroot",),
        ("--runtime=runc", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"),
    ),
)


def engine_with(image: str) -> Engine:
    """Return the first engine that runs `image` without asking a registry. Skips, also under CI=true, where none does.

    An engine is a daemon or a kernel's favour, and the base image comes from a registry: no package of a
    distribution that .ci/run could install brings both.
    """
    for engine in ENGINES:
        if shutil.which(engine.name):
            tried = engine("run", "--rm", "--pull=never", *engine.to_run, image, "true", check=False)
            if tried.returncode == 0:
                return engine
    pytest.skip(f"no container engine here runs {image}")


@pytest.mark.faults
@pytest.mark.root
def test_the_image_keeps_a_folder_as_a_nobody_who_can_write_nothing_else(tmp_path: Path) -> None:
    (base,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    engine = engine_with(base)
    tag = f"baileys-tools-test-{os.getpid()}"
    sessions = lay("bloated-v6", tmp_path / "sessions", datetime.now(UTC))
    mounts = [f"--volume={tmp_path / name}:/{name}" for name in ("sessions", "backups", "state")]
    for name in ("backups", "state"):
        (tmp_path / name).mkdir(mode=0o700)
    for path in [tmp_path / name for name in ("sessions", "backups", "state")] + list(sessions.rglob("*")):
        os.chown(path, 1000, 1000)
    confined = ["--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
    confined += ["--tmpfs=/tmp", *engine.to_run, *mounts]

    engine("build", *engine.to_build, "-f", PACKAGING / "Dockerfile", "-t", tag, ROOT)
    try:
        for words in ("--version", "backup --quiet", "cleanup --quiet", "monitor-once --quiet", "verify"):
            said = engine("run", "--rm", *confined, tag, *words.split()).stdout
        assert "1 whole" in said
        (company,) = sessions.iterdir()
        assert len(list(company.iterdir())) < 150, "cleaned"
        (snapshot,) = (tmp_path / "backups" / company.name).glob("*.tar*")
        assert snapshot.stat().st_uid == 1000

        engine("run", "--detach", "--name", tag, *confined, tag)
        try:
            _lives_and_runs_its_jobs(engine, tag)
            engine("stop", "-t", "30", tag)
            assert engine("inspect", "--format={{.State.ExitCode}}", tag).stdout.strip() == "0"
        finally:
            engine("rm", "--force", tag, check=False)
    finally:
        engine("rmi", "--force", tag, check=False)


def _lives_and_runs_its_jobs(engine: Engine, container: str) -> None:
    """Wait for the first minute of `cron run`, and ask the health check."""
    (health,) = re.findall(r"^HEALTHCHECK .* CMD (.*)$", DOCKERFILE, re.MULTILINE)
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for _ in range(90):
        time.sleep(1)
        status = json.loads(engine("exec", container, "baileys-tools", "cron", "status", "--json").stdout)
        watched = next(job for job in status["jobs"] if job["command"] == "monitor-once")
        if watched["last_started"] >= began:
            break
    assert (watched["last_started"] >= began, watched["last_exit_code"]) == (True, 0), watched
    engine("exec", container, *json.loads(health))
    engine("exec", container, "touch", "-d", "10 minutes ago", "/state/cron.alive")
    assert engine("exec", container, *json.loads(health), check=False).returncode != 0


def test_the_jobs_for_kubernetes_are_ours() -> None:
    documents = list(yaml.safe_load_all((PACKAGING / "kubernetes.yaml").read_text()))
    jobs = {job.command: job for job in JOBS}
    options = {
        name: {word for part in command.params for word in part.opts} for name, command, _ in all_commands()
    }
    for document in documents:
        assert (document["apiVersion"], document["kind"]) == ("batch/v1", "CronJob")
        (container,) = every_value(document, "containers")[0]
        command, *given = container["args"]
        assert document["metadata"]["name"] == f"baileys-tools-{command}"
        assert command in jobs
        assert set(given) <= options[command]
        assert document["spec"]["concurrencyPolicy"] == "Forbid"
        assert every_value(document, "runAsNonRoot") == [True]
        assert every_value(document, "allowPrivilegeEscalation") == [False]
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in every_value(document, "volumes")[0]}
        assert [one["name"] for one in container["env"]] == ["NOTIFICATION_WEBHOOK"], "else nobody is told"
    assert {document["metadata"]["name"] for document in documents} == {
        f"baileys-tools-{name}" for name in jobs
    }


def test_the_sidecar_and_the_new_host_are_ours() -> None:
    sidecar = yaml.safe_load((PACKAGING / "kubernetes-sidecar.yaml").read_text())
    pod = sidecar["spec"]["template"]["spec"]
    (keeper,) = pod["initContainers"]
    assert keeper["args"] == ["cron", "run"]
    assert keeper["restartPolicy"] == "Always"
    assert keeper["resources"]["limits"]["memory"] == "256Mi"
    claims = {one["name"] for one in pod["volumes"]}
    mounted = {one["name"] for part in (keeper, *pod["containers"]) for one in part["volumeMounts"]}
    assert mounted == claims
    assert sidecar["spec"]["strategy"] == {"type": "Recreate"}, "never two bots with one session"

    text = (PACKAGING / "cloud-init.yaml").read_text()
    assert text.startswith("#cloud-config\n")
    assert text.count("\n") <= 32
    script = next(one for one in yaml.safe_load(text)["write_files"] if one["path"].endswith("keep-bots"))
    words = script["content"].replace("\\\n", " ").split("baileys-tools setup ")[1].split()
    shown = run_cli("setup", "--help").stdout
    assert [word for word in words if word.startswith("--") and word not in shown] == []


def test_a_demo_installs_the_package_and_nothing_else() -> None:
    def steps(target: str) -> str:
        run = subprocess.run(
            [require_tool("make"), "--dry-run", "--always-make", target],
            cwd=ROOT, env=scrubbed_environment(), check=True, capture_output=True, text=True,
        )  # fmt: skip
        return run.stdout

    assert "--editable ." in steps("demo")
    assert "--group dev" not in steps("demo")
    assert "--group dev" in steps("lint")
