"""A server that hangs, restarts, drags on, or breaks off in the middle of what it says; and a pooler between."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.stores import postgres, redis_connection
from tests.integration.faults.forked import run_cli
from tests.stores.lines import Line, cut_at, drips_from, hangs_at, line_to, slow
from tests.stores.servers import pgbouncer
from tests.stores.shapes import SHAPES, Shape, connect
from tests.stores.test_verbs import creds_and_rows, ids
from tests.support import company_folder

pytestmark = pytest.mark.xdist_group("stores")
TENANTS = ("17", "18", "19")
KINDS = [one for one in SHAPES if one.preset in ("ai-admin", "fazer")]


class Far:
    """Three sessions of a store behind a line, and one in a folder."""

    def __init__(self, shape: Shape, url: str, line: Line, folder: Path) -> None:
        self.shape, self.line, self.folder, self.url = shape, line, folder, url
        self.db = connect(shape, url)
        self.fill()
        company_folder(folder / "sessions")
        roots = [
            {"store": line.to(url), "preset": shape.preset, "name": "bot-{1}"},
            {"path": str(folder / "sessions")},
        ]
        self.config = folder / "config.yaml"
        self.config.write_text(
            json.dumps({"sessions": {"roots": roots}, "state": {"dir": str(folder / "state")}})
        )
        self.config.chmod(0o600)

    def fill(self) -> None:
        self.shape.make(self.db)
        for tenant in TENANTS:
            self.shape.fill(self.db, tenant, *creds_and_rows())

    def run(self, *words: str, code: int | None) -> str:
        """Run the tool to an exit code, None for any that it has; return all that it says."""
        self.line.replies = 0
        done = run_cli(*words, "--config", str(self.config), cwd=self.folder, timeout=120, patched=True)
        said = done.stdout + done.stderr
        assert done.returncode in range(20) if code is None else done.returncode == code, said
        assert "Traceback" not in said
        return said

    def cells(self) -> dict[str, dict[str, str]]:
        """What each session holds."""
        found: dict[str, dict[str, str]] = {tenant: {} for tenant in TENANTS}
        for name, text in self.shape.cells(self.db).items():
            tenant = next(
                one for one in TENANTS if name.startswith((f"{one}|", f"@baileys-api:connections:{one}:"))
            )
            found[tenant][name] = text
        return found


def all_of(quick: str) -> list[Any]:
    """Each kind of server, one of them in every run."""
    return [
        pytest.param(one, id=ids(one), marks=() if one.preset == quick else pytest.mark.faults)
        for one in KINDS
    ]


@pytest.fixture
def far(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    shape: Shape = request.param
    monkeypatch.setattr(postgres, "ANSWER_SECONDS", 2)
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(redis_connection, "SECONDS", 2)
    monkeypatch.setattr(redis_connection, "ANSWER_SECONDS", 2)
    url = request.getfixturevalue(f"{shape.kind}_url")
    with line_to(url) as line:
        store = Far(shape, url, line, tmp_path)
        yield store
        store.db.close()


def pieces_of(far: Far, *words: str) -> int:
    """How many pieces the server says in an undisturbed run."""
    far.run(*words, code=0)
    return far.line.replies


@pytest.mark.parametrize("far", all_of("fazer"), indirect=True)
def test_a_server_that_hangs_is_waited_for_once_and_the_other_companies_are_looked_after(far: Far) -> None:
    pieces = pieces_of(far, "status")
    far.line.fault = hangs_at(pieces // 3)
    said = far.run("cleanup", code=3)
    assert "the server has not answered for 2 seconds" in said
    assert "1001" in said
    far.line.fault = hangs_at(1)
    began = time.monotonic()
    said = far.run("cleanup", code=3)
    assert "1001" in said
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("far", all_of("fazer"), indirect=True)
def test_a_server_that_drips_is_waited_for_no_longer_than_one_that_hangs(far: Far) -> None:
    pieces = pieces_of(far, "status")
    far.line.fault = drips_from(pieces // 3)
    began = time.monotonic()
    said = far.run("cleanup", code=3)
    assert "the server has not answered" in said
    assert "1001" in said
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "part", [pytest.param(n, marks=() if n == 4 else pytest.mark.faults) for n in range(1, 10)]
)
@pytest.mark.parametrize("far", all_of("ai-admin"), indirect=True)
def test_what_breaks_off_in_the_middle_of_a_reply_leaves_nothing_half_and_the_next_run_ends_it(
    far: Far, part: int
) -> None:
    before = far.cells()
    pieces = pieces_of(far, "cleanup")
    cleaned = far.cells()
    far.run("undo", code=0)
    assert far.cells() == before
    far.line.fault = cut_at(max(1, pieces * part // 10))
    said = far.run("cleanup", code=None)
    if far.cells() != cleaned:
        # What breaks off when all is done, as a lease is given back, concerns nobody.
        assert "closed" in said or "lost" in said or "reset" in said.lower()
    for tenant, cells in far.cells().items():
        assert set(cells.items()) <= set(before[tenant].items()), "nothing is altered"
        assert set(cells.items()) >= set(cleaned[tenant].items()), "nothing goes that was not to go"
    far.line.fault = slow(0)
    far.run("cleanup", code=0)
    assert far.cells() == cleaned
    for _ in range(2):
        # Where the line broke before anything was removed there is one run to undo, and not two.
        far.run("undo", code=None)
    assert far.cells() == before, "what was removed while the line broke can be undone as well"


@pytest.mark.parametrize("far", all_of(""), indirect=True)
def test_a_slow_line_takes_its_time_and_nothing_else(far: Far) -> None:
    before = far.cells()
    far.line.fault = slow(0.02)
    far.run("status", code=0)
    far.run("cleanup", code=0)
    assert far.cells() != before
    far.run("undo", code=0)
    assert far.cells() == before


# --- a pooler between -----------------------------------------------------------------------------------------


@pytest.mark.faults
@pytest.mark.parametrize("far", [pytest.param(KINDS[0], id=ids(KINDS[0]))], indirect=True)
def test_a_pooler_in_transaction_mode_changes_nothing_and_one_that_is_used_up_is_said(far: Far) -> None:
    before = far.cells()
    settings = json.loads(far.config.read_text())

    def by_way_of(url: str) -> None:
        settings["sessions"]["roots"][0]["store"] = url
        far.config.write_text(json.dumps(settings))

    with pgbouncer(far.url, pool=2) as url:
        by_way_of(url)
        far.run("status", code=0)
        far.run("cleanup", code=0)
        assert far.cells() != before
        far.run("undo", code=0)
        assert far.cells() == before
        moved = far.run(
            *("migrate", "--company", "bot-17", "--to", str(far.folder / "out"), "--leave-source", "--yes"),
            code=13,
        )
        assert "the bot lives" in moved, "read by way of the pooler, and refused as it was written just now"
    with pgbouncer(far.url, pool=1) as url:
        by_way_of(url)
        far.run("status", code=0)
        said = far.run("cleanup", code=3)
        assert "the server has not answered" in said
        assert "1001" in said
    assert far.cells() == before
