"""For how many devices the bot fetches a bundle before it sends them its key again."""

from __future__ import annotations

import pytest

from baileys_tools.cleanup.rules.cost import bundles_fetched
from tests.unit.cleanup.test_policy import days, facts

SIX = ("session-4477.0.json", "session-4478.3.json", "session-1002003004005.0.json")
SEVEN = ("session-1002003004005_1.0.json", "session-4478.0.json", "lid-mapping-4477.json")


@pytest.mark.parametrize(
    ("names", "gone", "told", "bundles"),
    [
        pytest.param(SIX, (), ["4477@s.whatsapp.net", "4478:3@s.whatsapp.net"], 0, id="all stand"),
        pytest.param(SIX, ("session-4477.0.json",), ["4477@s.whatsapp.net"], 1, id="one goes"),
        pytest.param(SIX, (), ["4478@s.whatsapp.net", "4477:12@s.whatsapp.net"], 2, id="other devices"),
        pytest.param(SIX, (), ["1002003004005@lid"], 0, id="Baileys 6 names no domain"),
        pytest.param(SEVEN, (), ["1002003004005@lid"], 0, id="by LID"),
        pytest.param(SEVEN, (), ["4477@s.whatsapp.net"], 0, id="by number, the session by LID"),
        pytest.param(SEVEN, (), ["4478@s.whatsapp.net"], 0, id="by number, without a mapping"),
        pytest.param(
            SEVEN,
            ("session-1002003004005_1.0.json",),
            ["4477@s.whatsapp.net", "1002003004005@lid"],
            1,
            id="one session under two names",
        ),
        pytest.param(
            SEVEN, (), ["4477@hosted", "no jid", "", "@", "4477:x@lid"], 4, id="nothing that is known"
        ),
    ],
)
def test_those_without_a_session_cost_a_bundle(
    names: tuple[str, ...], gone: tuple[str, ...], told: list[str], bundles: int
) -> None:
    folder = facts(dict.fromkeys(names, days(1)))
    lids = {"4477": "1002003004005"}
    assert bundles_fetched(folder, gone, told, lids.get) == bundles
