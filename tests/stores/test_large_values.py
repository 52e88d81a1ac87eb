"""A value that no session has costs its own company the pass, and neither memory nor the others."""

from __future__ import annotations

import json
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.stores.shapes import SHAPES, Shape, connect, root_of
from tests.stores.test_verbs import creds_and_rows, ids

pytestmark = pytest.mark.xdist_group("stores")
MIB = 1 << 20
HUGE = 100 * MIB
SESSION = "repeat('x', %s)"
WRITES: dict[str, Any] = {
    "ai-admin-postgres": lambda db, size: db.execute(
        f"UPDATE whatsapp_keys SET value = to_jsonb({SESSION}) WHERE company_id = '17' AND key_type = 'session' "
        "AND key_id = (SELECT min(key_id) FROM whatsapp_keys WHERE key_type = 'session')",
        (size,),
    ),
    "prisma-session-postgres": lambda db, size: db.execute(
        f"UPDATE \"Session\" SET data = {SESSION} WHERE \"sessionId\" = '17' AND id = 'creds'", (size,)
    ),
    "ticketz-postgres": lambda db, size: db.execute(
        f'UPDATE "Whatsapps" SET session = {SESSION} WHERE id = 17', (size,)
    ),
    "fazer-redis": lambda db, size: db.hset(
        "@baileys-api:connections:17:authState", "session-1.0", "x" * size
    ),
    "unoapi-redis": lambda db, size: db.set("unoapi-auth:17:session-1.0", "x" * size),
}
QUICK = ("prisma-session-postgres", "fazer-redis")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in QUICK else pytest.mark.faults) for one in WRITES]
)
def test_a_huge_value_is_told_of_its_company_and_costs_no_memory(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shape: Shape = next(one for one in SHAPES if ids(one) == name)
    address = request.getfixturevalue(f"{shape.kind}_url")
    db = connect(shape, address)
    shape.make(db)
    creds, rows = creds_and_rows()
    for tenant in ("17", "18"):
        shape.fill(db, tenant, creds, rows[:20])
    WRITES[name](db, HUGE)
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"sessions": {"roots": [root_of(shape, address, "bot-{1}")]}}))
    config.chmod(0o600)
    before = getrusage(RUSAGE_CHILDREN).ru_maxrss
    told = run_cli("cleanup", "--dry-run", "--config", str(config), cwd=tmp_path)
    assert told.returncode == 3, told.stdout + told.stderr
    assert "no session is that large" in " ".join(told.stdout.split())
    assert "1 company" in told.stdout
    # A fork has what this process has, the value itself among it.
    assert getrusage(RUSAGE_CHILDREN).ru_maxrss - before < 100 * MIB / 1024, "not the whole of it"
    db.close()
