"""What a restore does to messages, measured with the real client (see restore_contract.mjs).

A small part is measured in every run of the tests, the whole table of docs/backups.md by `make faults`.
`python -m tests.contract.test_restore BAILEYS6 BAILEYS7` prints that table from two files that the harness wrote.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.contract.real_client import HERE, run_script
from tests.support import COMMAND

DOCS = HERE.parents[1] / "docs" / "backups.md"

CHOICES = ("repair", "rollback", "unpack over it", "leave it")
TRAFFIC = ("none", "incoming", "outgoing", "5 rounds both ways")
DIRECTIONS = ("bot_to_contact", "bot_to_group", "contact_to_bot", "member_to_group", "offered", "minted")
BOT_FIRST, OTHERS_FIRST = DIRECTIONS[:2], DIRECTIONS[2:5]
DEAD = "dead"
"""What a folder is that Baileys would start from with a QR code."""


class Part(NamedTuple):
    """What is measured of the table; empty means all."""

    baileys: str
    traffic: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    strangers: int = 5

    @property
    def options(self) -> list[str]:
        given = {"--traffic": self.traffic, "--damage": self.damages, "--choice": self.choices}
        words = [word for option, values in given.items() for value in values for word in (option, value)]
        return [*words, "--strangers", str(self.strangers)]


HARMFUL = ("creds.json empty", "own sender-keys lost")
PARTS = [
    Part("baileys6", ("outgoing",), ("every second session torn", *HARMFUL)),
    # A row of Baileys 7 takes eight seconds, as it pairs with 812 pre-keys.
    Part("baileys7", ("outgoing",), ("own sender-keys lost",), ("repair",)),
    # With the files of the next version (fixtures/generate/next_auth_state.mjs): the same numbers.
    Part("baileys6-next", ("outgoing",), ("every second session torn",), ("repair", "rollback")),
]
WHOLE = [
    Part("baileys6"),
    Part("baileys7"),
    Part("baileys7-next", TRAFFIC[2:], ("every second session torn", *HARMFUL), ("repair", "rollback")),
    Part("baileys6-next", TRAFFIC[2:], HARMFUL, ("repair", "rollback")),
]


def _parameter(part: Part, *marks: Any) -> Any:
    name = part.baileys + ("" if part.traffic else " whole")
    # What was measured is shared, so all tests of a part run in one process.
    group = pytest.mark.xdist_group(f"restore {name}")
    return pytest.param(part, id=name, marks=[pytest.mark.contract, group, *marks])


parts = pytest.mark.parametrize(
    "part",
    [_parameter(part) for part in PARTS]
    + [_parameter(part, pytest.mark.faults, pytest.mark.timeout(5400)) for part in WHOLE],
)


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
            plan=json.loads(row["output"]).get("plan") if row.get("output") else None,
            exit_code=row.get("exit_code", 0),
        )
        table.setdefault((row["damage"], row["traffic"]), {})[row["choice"]] = outcome
    return table


Measure = Callable[[Part], Table]


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measure]:
    """A function from a part to its table; each is measured once."""
    known: dict[Part, Table] = {}

    def measure(part: Part) -> Table:
        if part not in known:
            known[part] = measure_part(part, tmp_path_factory.mktemp(part.baileys))
        return known[part]

    yield measure


def measure_part(part: Part, home: Path) -> Table:
    """Measure a part with the real client, with `home` for what the commands write."""
    words = ["--baileys", part.baileys, "--tool", str(COMMAND), *part.options]
    return table_of(run_script("restore_contract.mjs", *words, home=home, timeout=5000))


@parts
def test_the_table_of_the_documentation_is_the_measured_one(measured: Measure, part: Part) -> None:
    table = measured(part)
    version = part.baileys.removesuffix("-next")
    shown = documented()[version]
    expected = 36 if version == "baileys7" else 32
    assert len(shown) == expected
    assert len(table) == (expected if not part.traffic else len(part.damages) * len(part.traffic))
    for row, choices in table.items():
        assert [shown[row][CHOICES.index(choice)] for choice in choices] == [
            _cell(outcome) for outcome in choices.values()
        ], row


@parts
def test_repair_is_never_worse_than_leaving_the_damage_alone(measured: Measure, part: Part) -> None:
    for row, choices in measured(part).items():
        assert choices["repair"].exit_code == 0, row
        for direction in DIRECTIONS:
            if "leave it" in choices:
                assert choices["repair"].failed(direction) <= choices["leave it"].failed(direction), row


@parts
def test_nobody_fails_to_read_the_bot_after_a_rollback_or_a_repair(measured: Measure, part: Part) -> None:
    """Neither a contact nor a group, when the bot writes first."""
    for row, choice, outcome in restores(measured(part)):
        assert outcome.exit_code == 0, (row, choice)
        assert outcome.failed("bot_to_contact") == outcome.failed("bot_to_group") == 0, (row, choice)
        assert outcome.attempts["bot_to_contact"] + outcome.attempts["bot_to_group"] >= 25


@parts
def test_pre_keys_minted_after_a_restore_work_for_new_chats(measured: Measure, part: Part) -> None:
    for row, choice, outcome in restores(measured(part)):
        assert outcome.attempts["minted"] == 5
        assert outcome.failed("minted") == 0, (row, choice)


@parts
def test_the_stated_cost_is_the_measured_one(measured: Measure, part: Part) -> None:
    for row, choice, outcome in restores(measured(part)):
        assert outcome.plan is not None
        cost = outcome.plan["cost"]
        assert cost["contacts"] == outcome.failed("contact_to_bot"), (row, choice)
        assert cost["older_sessions"] == 0, (row, choice)
        # A key that comes back may be older than one that its sender made since; here nobody has.
        assert cost["group_senders"] == outcome.failed("member_to_group"), (row, choice)
        # Five of the pre-keys that the server offers are tried. Which of those made since were used nothing tells.
        assert outcome.failed("offered") <= cost["pre_keys"] or cost["pre_keys_untold"], (row, choice)
        if row[1] != TRAFFIC[-1]:
            assert (cost["pre_keys"], outcome.failed("offered")) == (0, 0), (row, choice)


@parts
def test_unpacking_over_the_folder_and_leaving_it_both_do_harm(measured: Measure, part: Part) -> None:
    """Proves the checks above: this is what they would find."""
    if part.choices:
        pytest.skip("only the repair is measured in this part")
    table = measured(part)
    assert table["creds.json empty", "outgoing"]["unpack over it"].failed(*BOT_FIRST) > 20
    assert table["creds.json empty", "outgoing"]["leave it"].failures is None
    assert table["own sender-keys lost", "outgoing"]["leave it"].failed("bot_to_group") > 0


def restores(table: Table) -> Iterator[tuple[tuple[str, str], str, Outcome]]:
    """Yield row, choice and outcome of each repair and rollback."""
    for row, choices in table.items():
        for choice in ("repair", "rollback"):
            if choice in choices:
                yield row, choice, choices[choice]


# --- the table ----------------------------------------------------------------------------------------------


def markdown(tables: Mapping[str, Table]) -> str:
    """Return the tables as Markdown, a row for each damage and a column for each traffic."""
    lines = []
    for client, table in tables.items():
        lines += ["", f"| {_title(client)} | {' | '.join(TRAFFIC)} |", "|---" * (len(TRAFFIC) + 1) + "|"]
        for damage in dict.fromkeys(damage for damage, _ in table):
            cells = [_cells(table[damage, traffic]) for traffic in TRAFFIC]
            lines.append(f"| {damage} | {' | '.join(cells)} |")
    return "\n".join(lines[1:])


def _title(client: str) -> str:
    return client.replace("baileys", "Baileys ")


def _cells(choices: Mapping[str, Outcome]) -> str:
    return ", ".join(_cell(choices[choice]) for choice in CHOICES) + _better(choices)


def _better(choices: Mapping[str, Outcome]) -> str:
    """Mark a cell in which something else would have cost less than the repair: ` *` whoever writes first, ` °`
    only when the others do.
    """
    repair = choices["repair"]
    others = [choices[choice] for choice in CHOICES[1:]]
    less = [other for other in others if other.failed(*OTHERS_FIRST) < repair.failed(*OTHERS_FIRST)]
    if any(other.failed(*BOT_FIRST) <= repair.failed(*BOT_FIRST) for other in less):
        return " *"
    return " °" if less else ""


def _cell(outcome: Outcome) -> str:
    if outcome.failures is None:
        return DEAD
    return f"{outcome.failed(*BOT_FIRST):.0f}/{outcome.failed(*OTHERS_FIRST):.0f}"


def documented() -> dict[str, dict[tuple[str, str], list[str]]]:
    """Return what docs/backups.md shows: client -> (damage, traffic) -> the cells of the four choices."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    client = ""
    for line in DOCS.read_text().splitlines():
        columns = [column.strip() for column in line.strip("|").split("|")]
        if title := re.fullmatch(r"Baileys (\d)", columns[0]):
            client = f"baileys{title[1]}"
            assert tuple(columns[1:]) == TRAFFIC
            found[client] = {}
        elif client and not line.startswith("|"):
            client = ""
        elif client and not columns[0].startswith("---"):
            for traffic, cells in zip(TRAFFIC, columns[1:], strict=True):
                found[client][columns[0], traffic] = cells.rstrip(" *°").split(", ")
    return found


if __name__ == "__main__":
    names = ("baileys6", "baileys7")
    print(
        markdown(
            {name: table_of(Path(path).read_text()) for name, path in zip(names, sys.argv[1:], strict=True)}
        )
    )
