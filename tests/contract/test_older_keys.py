"""Where an older key is worse than none, and where the plan of a restore stated too little: measured with the real
client (restore_contract.mjs), in stories beside the table of docs/backups.md.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_restore import Outcome, Part, Table, measure_part

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

VERSIONS = ("baileys6", "baileys7")
ROTATED = "members make new keys"
GONE = "sender-keys of others lost"
LOST = "sessions since lost"
TORN = "creds.json and sessions since torn"
PRE_KEYS = ("odd pre-keys since lost", "odd pre-keys since torn")


@pytest.fixture(
    scope="module",
    params=[pytest.param(version, marks=pytest.mark.xdist_group(f"older {version}")) for version in VERSIONS],
)
def version(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


class Measured:
    """The stories of one version of the client: (damage, story) -> choice -> outcome."""

    def __init__(self, version: str, home: Any) -> None:
        parts = [
            Part(version, (ROTATED,), ("creds.json empty", GONE), ("rollback", "repair", "leave it")),
            Part(
                version,
                ("one contact",),
                (LOST, TORN),
                ("rollback", "repair", "repair with sessions", "recover"),
            ),
            Part(version, ("none",), (LOST,), ()),
            Part(version, ("one upload",), PRE_KEYS, ("repair", "rollback"), strangers=20),
        ]
        self.table: Table = {}
        for part in parts:
            self.table |= measure_part(part, home)


@pytest.fixture(scope="module")
def table(version: str, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return Measured(version, tmp_path_factory.mktemp(version)).table


def stated(outcome: Outcome, what: str) -> int:
    assert outcome.plan is not None
    found: int = outcome.plan["cost"][what]
    return found
