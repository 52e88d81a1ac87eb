"""What docs/recovery.md says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from baileys_tools.bots.bot_api import PRESETS
from baileys_tools.bots.rules.diagnosis import Cause
from baileys_tools.config import bot_kinds, load_settings
from baileys_tools.recovery.rules.recovery import LADDERS
from tests.contract.test_disconnects import CREDS_LOST, SCENARIOS, Scenario

PAGE = (Path(__file__).parents[3] / "docs/recovery.md").read_text()
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*?\n\n", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert table is not None
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table[0].strip().splitlines()[2:]
    ]


@pytest.mark.parametrize("text", YAML, ids=range(len(YAML)))
def test_every_example_of_settings_is_one(text: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    file = tmp_path / "c.yaml"
    file.write_text(text.replace("/etc/baileys-tools/api-token", str(token)))
    assert load_settings({}, {}, config=str(file)).config_file == str(file)


def test_there_are_examples() -> None:
    assert len(YAML) >= 3


def test_the_table_of_presets_is_that_of_the_code() -> None:
    rows = rows_below("preset")
    assert [row[0].strip("`").split("`")[0] for row in rows] == list(PRESETS)
    assert list(bot_kinds.PRESETS) == list(PRESETS), "what the settings take"
    names = ("status", "reconnect", "init", "qr", "pairing_code", "send")
    for row, preset in zip(rows, PRESETS.values(), strict=True):
        assert [bool(cell) for cell in row[1:7]] == [name in preset.endpoints for name in names], row
        assert preset.token_header.startswith(row[7].strip("`").removesuffix(" Bearer"))


def test_the_table_of_causes_is_that_of_the_code() -> None:
    listed: dict[str, list[str]] = {}
    for causes, steps in rows_below("cause"):
        words = re.findall(r"wait|reconnect|restart|repair|creds\.json\.bak", steps)
        rungs = {"repair": "restore", "creds.json.bak": "restore-from-bak"}
        for cause in re.findall(r"`([a-z-]+)`", causes):
            listed[cause] = [rungs.get(word, word) for word in words]
    expected = {cause.value: [rung.value for rung in rungs] for cause, rungs in LADDERS.items()}
    expected.pop(Cause.HEALTHY.value)
    assert listed == expected


@pytest.mark.parametrize("scenario", [*SCENARIOS.values(), CREDS_LOST], ids=lambda one: one.row)
def test_the_table_of_disconnects_is_what_the_real_bots_lived_through(scenario: Scenario) -> None:
    [row] = [row for row in rows_below("what happens") if row[0] == scenario.row]
    _, counts, now, later, steps, alert = row
    assert set(re.findall(r"`([a-z-]+)`", counts)) >= set(scenario.counts)
    assert now == f"`{scenario.cause.value}`"
    if later:
        assert later.replace("the same", now) == f"`{scenario.later.value}`"
    assert tuple(re.findall(r"wait|reconnect|person", steps)) == tuple(
        step for step in scenario.steps if step != "person" or len(scenario.steps) == 1
    )
    codes, _, when = alert.partition("` ")
    listed = tuple(sorted(re.findall(r"[a-z-]+", codes)))
    minute = {"": None, "at once": 0, "after 5 min": 5}[when]
    told = {at: tuple(code.split()[0] for code in codes) for at, codes in scenario.alerts.items()}
    assert told == ({minute: listed} if listed else {})


def test_the_table_of_disconnects_has_no_row_that_nobody_lived_through() -> None:
    rows = [row[0] for row in rows_below("what happens")]
    assert set(rows) == {scenario.row for scenario in SCENARIOS.values()} | {CREDS_LOST.row}
    assert len(rows) == len(set(rows))
