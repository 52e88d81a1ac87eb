"""New chats after a cleanup of pre-keys, with the real client (prekeys_contract.mjs), for lives of a bot under each way
a server may hand pre-keys out (tests/prekey_lives.py).

A few are measured in every run; `make lives ARGS="-k test_prekeys"` measures all, and
`python -m tests.contract.test_prekeys` prints the table of docs/policy.md.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.contract.real_client import run_script
from tests.log_lines import pino
from tests.prekey_lives import LIVES, Bot, Server
from tests.support import COMMAND

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]

CLEANUP = [str(COMMAND), "cleanup", "--json"]
UNGUARDED = [*CLEANUP, "--no-pre-key-guard"]
GROWN = ("300 top-ups", "1,200 top-ups", "1,200 top-ups after 50")


class Cell(NamedTuple):
    """A life under a server. `log`: the bot's log, with the server's own count, is named to the tool."""

    life: str
    server: Server
    log: bool = False

    def __str__(self) -> str:
        return f"{self.life}, {self.server}{', log' if self.log else ''}"

    @property
    def version(self) -> str:
        return "baileys6" if " of 6" in self.life or self.life.startswith("6,") else "baileys7"


class Row(NamedTuple):
    """What was measured of a cell: files on disk, what the server offers, what went, and the new chats that failed."""

    cell: Cell
    on_disk: int
    offered: int
    removed: int
    offered_removed: int
    stated: int
    stated_if_replaced: int
    failed: int
    failed_before: int
    tried: int

    @property
    def left(self) -> int:
        return self.on_disk - self.removed


def measure(cells: Sequence[Cell], home: Path, command: Sequence[str] = CLEANUP) -> list[Row]:
    """Lead these lives, let the real client write their folders, clean them, and let strangers write."""
    bots = [LIVES[cell.life](cell.server) for cell in cells]
    told = [
        {
            "version": cell.version,
            "now": bot.now + 1_800,
            "next_id": bot.next_id,
            "written": bot.written,
            "offered": bot.offered,
            "log": _log_of(bot) if cell.log else "",
        }
        for cell, bot in zip(cells, bots, strict=True)
    ]
    file = home / "cells.json"
    file.write_text(json.dumps(told))
    found = json.loads(run_script("prekeys_contract.mjs", "--cells", str(file), "--", *command, home=home))
    rows = []
    for cell, bot, seen in zip(cells, bots, found, strict=True):
        assert seen["exit_code"] == 0, seen
        (company,) = json.loads(seen["output"])["companies"]
        plan: dict[str, Any] = company["plan"]
        removed = {int(name[8:-5]) for name in seen["removed"] if name.startswith("pre-key-")}
        rows.append(
            Row(
                cell,
                len(bot.written),
                len(bot.offered),
                len(removed),
                len(removed & set(bot.offered)),
                plan["cost"]["pre_keys"],
                plan["pre_keys_if_replaced"],
                len(seen["failed"]),
                len(seen["before"]),
                seen["tried"],
            )
        )
    return rows


def _log_of(bot: Bot) -> str:
    """The line of the last login, as long before now as the life has it."""
    assert bot.said is not None
    at = bot.said.at.timestamp() + time.time() - bot.now - 1_800
    return pino(f"{bot.said.number} pre-keys found on server", datetime.fromtimestamp(at, UTC)) + "\n"


def check(row: Row) -> None:
    """What holds of every life under every server."""
    assert row.failed_before == 0, row
    assert row.failed == row.offered_removed, row
    assert row.failed <= row.stated, row
    assert row.failed <= row.stated_if_replaced or row.cell.server is not Server.REPLACES, row
    assert row.failed <= 1, row
    if row.cell.log or row.cell.life.startswith("fresh") or "handed out" in row.cell.life:
        assert row.failed == 0, row
    if row.cell.life in GROWN:
        assert row.left < 200, row


SAMPLE = [
    Cell("812, 600 handed out", Server.RANDOM),
    Cell("long life of 6, 60 unanswered", Server.RANDOM),
    Cell("long life of 6, 60 unanswered", Server.RANDOM, log=True),
]


def test_of_a_few_lives_what_fails_is_stated(tmp_path: Path) -> None:
    rows = measure(SAMPLE, tmp_path)
    for row in rows:
        check(row)
    assert [row.failed for row in rows] == [0, 1, 0], "a measurement that never sees a failure proves nothing"


def test_without_the_guard_chats_fail_and_it_is_stated(tmp_path: Path) -> None:
    (row,) = measure([Cell("812, 700 handed out", Server.RANDOM)], tmp_path, UNGUARDED)
    assert 50 < row.failed == row.offered_removed <= row.stated


@pytest.mark.lives
@pytest.mark.parametrize("log", [False, True], ids=["files alone", "with the log"])
@pytest.mark.parametrize("life", LIVES)
def test_of_every_life_what_fails_is_stated(life: str, log: bool, tmp_path: Path) -> None:
    for row in measure([Cell(life, server, log) for server in Server], tmp_path):
        check(row)


def main() -> None:
    """Print the table of docs/policy.md: each life a row, each server a column."""
    print(f"| life | {' | '.join(Server)} |")
    print("|---|" + "---|" * len(Server))
    for life in LIVES:
        with tempfile.TemporaryDirectory() as home:
            rows = measure([Cell(life, server) for server in Server], Path(home))
        told = [
            f"{row.on_disk:,} / {row.offered:,} / {row.removed:,} / "
            + (f"**{row.failed}** of {row.stated}" if row.failed else f"0 of {row.stated}")
            for row in rows
        ]
        print(f"| {life} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
