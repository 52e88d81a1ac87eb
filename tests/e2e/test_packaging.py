"""What is shipped: wheel, sdist, image, compose file, Kubernetes jobs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import baileys_tools
from baileys_tools.cli.manpage import all_commands
from baileys_tools.config.schema import SCHEMA
from baileys_tools.domain.cron import JOBS
from tests.support import require_tool, scrubbed_environment

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


@pytest.mark.faults
def test_the_image_builds_where_there_is_an_engine() -> None:
    engine = next((name for name in ("docker", "podman") if works(name)), None)
    if engine is None:
        pytest.skip("no container engine that runs")
    tag = "baileys-tools-test"
    subprocess.run([engine, "build", "-q", "-f", PACKAGING / "Dockerfile", "-t", tag, ROOT], check=True)
    run = subprocess.run(
        [engine, "run", "--rm", "--read-only", tag, "--version"], capture_output=True, text=True
    )
    assert run.stdout.split()[-1] == baileys_tools.__version__, run.stderr


def works(engine: str) -> bool:
    return (
        bool(shutil.which(engine)) and subprocess.run([engine, "info"], capture_output=True).returncode == 0
    )


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
    assert len(documents) == 6


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
