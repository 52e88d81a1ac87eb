"""What a restore does to messages, measured with the real client (see restore_contract.mjs).

`python -m tests.contract.test_restore FILE...` prints the table of docs/backups.md from what the harness wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import COMMAND, require_tool, scrubbed_environment

pytestmark = [pytest.mark.contract, pytest.mark.faults, pytest.mark.timeout(3600)]

HERE = Path(__file__).parent
GENERATE = HERE.parents[1] / "fixtures" / "generate"

CHOICES = ("repair", "rollback", "unpack over it", "leave it")
DIRECTIONS = ("bot_to_contact", "bot_to_group", "contact_to_bot", "member_to_group", "offered", "minted")
BOT_FIRST, OTHERS_FIRST = DIRECTIONS[:2], DIRECTIONS[2:5]


@dataclass(frozen=True)
class Outcome:
    """What became of one folder. `failures` by direction, None where Baileys would show a QR code."""

    failures: Mapping[str, int] | None
    attempts: Mapping[str, int]
    plan: Mapping[str, Any] | None
    exit_code: int

    def failed(self, *directions: str) -> float:
        """How many first tries failed; without creds nothing works at all."""
        if self.failures is None:
            return float("inf")
        return sum(self.failures[direction] for direction in directions)


Table = dict[tuple[str, str], dict[str, Outcome]]
"""(damage, traffic) -> choice -> outcome."""


def table_of(lines: str) -> Table:
    """Given what the harness wrote, return it by row and choice."""
    table: Table = {}
    for row in map(json.loads, lines.splitlines()):
        results = row["results"]
        outcome = Outcome(
            failures=results and {direction: results[direction]["failures"] for direction in DIRECTIONS},
            attempts=results and {direction: results[direction]["attempts"] for direction in DIRECTIONS},
            plan=json.loads(row["output"])["plan"] if row.get("output") else None,
            exit_code=row.get("exit_code", 0),
        )
        table.setdefault((row["damage"], row["traffic"]), {})[row["choice"]] = outcome
    return table


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Table]]:
    """A function from the name of a client to its table; each is measured once."""
    known: dict[str, Table] = {}

    def measure(baileys: str) -> Table:
        if baileys not in known:
            known[baileys] = _measure(baileys, tmp_path_factory.mktemp(baileys))
        return known[baileys]

    yield measure


def _measure(baileys: str, home: Path) -> Table:
    node = require_tool("node")
    if not (GENERATE / "node_modules").exists():
        subprocess.run(
            [require_tool("npm"), "ci"], cwd=GENERATE, check=True, capture_output=True, timeout=300
        )
    finished = subprocess.run(
        [node, HERE / "restore_contract.mjs", "--baileys", baileys, "--tool", COMMAND],
        env=scrubbed_environment({"HOME": str(home), "BAILEYS_TOOLS_STATE_DIR": str(home / "state")}),
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    table = table_of(finished.stdout)
    print(markdown({baileys: table}))
    return table


clients = pytest.mark.parametrize("baileys", ["baileys6", "baileys7"])


@clients
def test_repair_is_never_worse_than_leaving_the_damage_alone(measured: Any, baileys: str) -> None:
    table = measured(baileys)
    assert len(table) >= 32
    for row, choices in table.items():
        assert choices["repair"].exit_code == 0, row
        for direction in DIRECTIONS:
            assert choices["repair"].failed(direction) <= choices["leave it"].failed(direction), row


@clients
def test_after_a_rollback_nobody_fails_to_read_the_bot(measured: Any, baileys: str) -> None:
    for row, choices in measured(baileys).items():
        assert choices["rollback"].exit_code == 0, row
        assert choices["rollback"].failed(*BOT_FIRST) == 0, row


@clients
def test_after_a_repair_nobody_fails_to_read_the_bot(measured: Any, baileys: str) -> None:
    for row, choices in measured(baileys).items():
        assert choices["repair"].failed(*BOT_FIRST) == 0, row


@clients
def test_pre_keys_minted_after_a_restore_work_for_new_chats(measured: Any, baileys: str) -> None:
    for row, choices in measured(baileys).items():
        for choice in ("repair", "rollback"):
            assert choices[choice].failed("minted") == 0, (row, choice)


@clients
def test_the_stated_cost_is_the_measured_one(measured: Any, baileys: str) -> None:
    for row, choices in measured(baileys).items():
        for choice in ("repair", "rollback"):
            plan = choices[choice].plan
            assert plan is not None
            assert plan["cost"]["contacts"] == choices[choice].failed("contact_to_bot"), (row, choice)
            assert plan["cost"]["group_senders"] == choices[choice].failed("member_to_group"), (row, choice)


@clients
def test_unpacking_over_the_folder_and_leaving_it_both_do_harm(measured: Any, baileys: str) -> None:
    """Proves the checks above: this is what they would find."""
    table = measured(baileys)
    assert table["creds.json empty", "outgoing"]["unpack over it"].failed(*BOT_FIRST) > 20
    assert table["creds.json empty", "none"]["leave it"].failures is None
    assert table["own sender-keys lost", "none"]["leave it"].failed("bot_to_group") > 0


# --- the table ----------------------------------------------------------------------------------------------


def markdown(tables: Mapping[str, Table]) -> str:
    """Return the tables as Markdown: first tries that failed when the bot writes first / when others do."""
    lines = [f"| damage | traffic since | {' | '.join(CHOICES)} |", "|---" * (len(CHOICES) + 2) + "|"]
    for client, table in tables.items():
        lines.append(f"| **{client}** " + "| " * (len(CHOICES) + 1) + "|")
        for (damage, traffic), choices in table.items():
            cells = [_cell(choices[choice]) for choice in CHOICES]
            lines.append(f"| {damage} | {traffic} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(outcome: Outcome) -> str:
    if outcome.failures is None:
        return "dead: QR code"
    return f"{outcome.failed(*BOT_FIRST):.0f} / {outcome.failed(*OTHERS_FIRST):.0f}"


if __name__ == "__main__":
    print(markdown({Path(path).stem: table_of(Path(path).read_text()) for path in sys.argv[1:]}))
