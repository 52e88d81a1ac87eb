"""What a store takes by itself after a time: an undo brings a record back with the time that it had left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores.shapes import SHAPES
from tests.stores.test_verbs import TENANT, stored

pytestmark = pytest.mark.xdist_group("stores")


def test_a_key_of_redis_comes_back_with_its_time_to_live(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stored(next(one for one in SHAPES if one.preset == "unoapi"), request, tmp_path) as store:
        keys = [*store.cells()]
        for number, key in enumerate(keys):
            if number % 2:
                store.db.expire(key, 5_000_000 + number)
        before = {key: store.db.ttl(key) for key in keys}
        store.run("cleanup")
        gone = [key for key in keys if not store.db.exists(key)]
        assert any(before[key] > 0 for key in gone)
        assert any(before[key] == -1 for key in gone)
        store.run("undo")
        after = {key: store.db.ttl(key) for key in keys}
        assert all(abs(after[key] - before[key]) < 600 for key in keys)
        assert {key for key in keys if after[key] == -1} == {key for key in keys if before[key] == -1}


def test_a_row_comes_back_with_its_expires_at(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with stored(next(one for one in SHAPES if one.preset == "ai-admin"), request, tmp_path) as store:
        half = "UPDATE whatsapp_keys SET expires_at = now() + interval '7 days' WHERE length(key_id) % 2 = 0"
        store.db.execute("ALTER TABLE whatsapp_keys DISABLE TRIGGER USER")
        store.db.execute(half)
        store.db.execute("ALTER TABLE whatsapp_keys ENABLE TRIGGER USER")
        asked = "SELECT key_type, key_id, expires_at FROM whatsapp_keys WHERE company_id = %s ORDER BY 1, 2"
        before = store.db.execute(asked, (TENANT,)).fetchall()
        store.run("cleanup")
        left = store.db.execute(asked, (TENANT,)).fetchall()
        gone = {*before} - {*left}
        assert {expires is None for *_, expires in gone} == {True, False}
        store.run("undo")
        assert store.db.execute(asked, (TENANT,)).fetchall() == before
