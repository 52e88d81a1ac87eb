"""A lost host: forty companies come back with two commands, and each bot's first messages are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.real_client import run_script
from tests.support import COMMAND


@pytest.mark.contract
@pytest.mark.parametrize(
    ("baileys", "companies"),
    [
        ("baileys6", 3),
        pytest.param("baileys6", 40, marks=pytest.mark.faults),
        pytest.param("baileys7", 40, marks=pytest.mark.faults),
    ],
)
def test_two_commands_bring_every_company_back_and_its_bot_is_read(
    tmp_path: Path, baileys: str, companies: int
) -> None:
    words = ("--baileys", baileys, "--tool", COMMAND, "--companies", str(companies))
    said, *bots = map(json.loads, run_script("lost_host_contract.mjs", *words, home=tmp_path).splitlines())
    for step in said.values():
        assert step["exit_code"] == 0, step
    restored = json.loads(said["restored"]["output"])["companies"]
    assert [one["status"] for one in restored] == ["restored"] * companies
    assert [one["company"] for one in restored] == [bot["company"] for bot in bots]
    for bot in bots:
        assert bot.get("errors") == [], bot
        assert bot["written"] >= 4
