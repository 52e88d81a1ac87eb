"""What an open page hears, also while the board moves on under it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from baileys_tools.config import Settings
from baileys_tools.page.app import Pages
from baileys_tools.page.door import Door
from baileys_tools.page.watcher import Watcher
from tests.unit.page.test_board import read


def test_what_changes_while_a_change_goes_out_is_not_lost() -> None:
    async def hear() -> list[Any]:
        watcher = Watcher(Settings(), {}, None)
        pages = Pages(watcher, cast(Door, None), None)
        board = watcher.board
        board.take([["a", 1]], {})
        stream = pages._stream(board.start, board.version - 1)
        assert await anext(stream) == b"retry: 3000\n\n"
        heard = [await anext(stream)]
        board.take([["a", 2]], {})  # before the next part is asked for
        watcher.moved()
        heard.append(await asyncio.wait_for(anext(stream), 10))
        await stream.aclose()
        return [row for _, told in read(heard) for row in told["rows"]]

    assert asyncio.run(hear()) == [["a", 1], ["a", 2]]
