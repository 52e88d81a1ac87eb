"""Where pings go: one address for all commands, or one for each; no address is ever shown."""

from __future__ import annotations

import pytest

from baileys_tools.config import Ping
from baileys_tools.config.ping_kind import PINGED, PINGS, pings_in
from baileys_tools.frame.pings import ping_address, ping_warnings


def read(raw: object) -> Ping:
    return Ping(url=PINGS.read(raw, str))


@pytest.mark.parametrize(
    ("raw", "addresses"),
    [
        ("https://hc.example/k", dict.fromkeys(PINGED, "https://hc.example/k")),
        ("https://hc.example/k/{command}?x=1", {c: f"https://hc.example/k/{c}?x=1" for c in PINGED}),
        ({"cleanup": "https://a.example/1"}, {"cleanup": "https://a.example/1"}),
        ("cleanup: https://a.example/1", {"cleanup": "https://a.example/1"}),
        (
            "backup: https://a.example:8/b\n\n monitor_once : http://k.example/t\n",
            {"backup": "https://a.example:8/b", "monitor-once": "http://k.example/t"},
        ),
    ],
)
def test_an_address_for_all_or_one_for_each(raw: object, addresses: dict[str, str]) -> None:
    ping = read(raw)
    assert {c: a for c in (*PINGED, "undo") if (a := ping_address(ping, c))} == addresses
    assert ping.url is not None
    again = PINGS.read(ping.url.reveal(), str)
    assert pings_in(again.reveal()) == addresses


@pytest.mark.parametrize(
    "raw",
    [
        "",
        {},
        [],
        "cleanup",
        "canary0123/x",
        "clean-up: https://a.example/canary0123",
        "cleanup: https://a.example/canary0123\nhttps://a.example/canary0123",
        {"cleanup": "ftp://a.example/canary0123"},
        {"cleanup": None},
        {"undo": "https://a.example/canary0123"},
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(raw: object) -> None:
    with pytest.raises(ValueError) as refused:
        PINGS.read(raw, str)
    assert "canary" not in str(refused.value)


def test_one_address_for_several_commands_is_warned_of() -> None:
    assert "{command}" in ping_warnings(read("https://hc.example/k"))[0]
    assert ping_warnings(read("https://hc.example/{command}")) == []
    assert ping_warnings(read({"cleanup": "https://a.example/1", "backup": "https://a.example/2"})) == []
    assert ping_warnings(Ping()) == []
