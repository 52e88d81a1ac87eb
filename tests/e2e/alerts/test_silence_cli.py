"""`silence` by the installed command, and who says that a company is silenced."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from tests.integration.faults.forked import run_cli
from tests.servers import Reply, answering
from tests.support import company_folder

SCHEMAS = Path(__file__).parents[3] / "docs/json"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    full = {f"session-49170{one}.0.json": timedelta(hours=1) for one in range(200)}
    company_folder(tmp_path / "sessions", "1001", full)
    fresh = {f"pre-key-{one}.json": timedelta(hours=1) for one in range(1, 31)}
    company_folder(tmp_path / "sessions", "1002", fresh)
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
    }


def test_a_silence_is_begun_told_everywhere_and_ended(env: dict[str, str]) -> None:
    with answering(lambda _: Reply({})) as server:
        env |= {"NOTIFICATION_WEBHOOK": f"{server.url}/x"}
        begun = run_cli("silence", "--company", "1001", "--for", "2h", "--because", "new server", env=env)
        assert (begun.returncode, begun.stderr) == (0, "")
        assert begun.stdout.startswith("company 1001: silenced until ")
        assert begun.stdout.endswith(" UTC (all alerts): new server\n")
        assert run_cli("monitor-once", "--quiet", env=env).stdout == ""
        assert server.requests == []
        for command in ("monitor-once", "status", "report"):
            assert " silenced until " in run_cli(command, env=env).stdout, command
        for command in ("monitor-once", "status"):
            document = json.loads(run_cli(command, "--json", env=env).stdout)
            jsonschema.Draft202012Validator(
                json.loads((SCHEMAS / f"{command}.schema.json").read_text())
            ).validate(document)
            assert [one["because"] for one in document["silences"]] == ["new server"]
        ended = run_cli("silence", "--company", "1001", "--end", env=env)
        assert (ended.returncode, ended.stdout[:34]) == (0, "company 1001: was silenced until 2")
        run_cli("monitor-once", "--quiet", env=env)
        assert len(server.requests) == 1
    assert " silenced until " not in run_cli("status", env=env).stdout
    assert " was silenced until " in run_cli("report", env=env).stdout
    listed = run_cli("silence", "--list", "--json", env=env)
    document = json.loads(listed.stdout)
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / "silence.schema.json").read_text())).validate(
        document
    )
    assert [one["holds"] for one in document["silences"]] == [False]
    assert run_cli("silence", "--company", "1001", "--end", env=env).returncode == 10


def test_a_single_folder_needs_no_name(env: dict[str, str], tmp_path: Path) -> None:
    single = env | {"BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions" / "company_1001")}
    begun = run_cli("silence", "--for", "2h", "--because", "new server", env=single)
    assert (begun.returncode, begun.stdout[:29]) == (0, "company 1001: silenced until "), begun.stderr
    assert run_cli("silence", "--end", env=single).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--company", "1001", "--for", "2h"], 2, "A silence needs a length and a reason."),
        (["--company", "1001", "--because", "x"], 2, "A silence needs a length and a reason."),
        (["--for", "2h", "--because", "x"], 2, "silence is about one company, and there are 2"),
        (["--end"], 2, "silence is about one company, and there are 2"),
        (["--company", "1001", "--for", "0", "--because", "x"], 2, "--for: 0 is not within 30d"),
        (["--company", "1001", "--for", "31d", "--because", "x"], 2, "--for: 31d is not within 30d"),
        (["--company", "1001", "--for", "soon", "--because", "x"], 2, "--for: "),
        (["--company", "1001", "--for", "1h", "--because", "a\nb"], 2, "--because: one line"),
        (
            ["--company", "1001", "--for", "1h", "--because", "x", "--code", "creds-emty"],
            2,
            "did you mean creds-empty?",
        ),
        (["--company", "1003", "--for", "1h", "--because", "x"], 10, "did you mean"),
        (["--list", "--end"], 2, "do not go together"),
    ],
)
def test_what_cannot_be_meant_is_refused(env: dict[str, str], words: list[str], code: int, said: str) -> None:
    done = run_cli("silence", *words, env=env)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert run_cli("silence", "--list", env=env).stdout == "No silence holds.\n"
