"""Groups in which somebody lacks the bot's key, by the lines that Baileys writes of requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest

from baileys_tools.bots.bot_log.records import Wanted, dated
from baileys_tools.bots.rules.log_events import ASKED_AGAIN
from baileys_tools.cures.rules.stale_groups import (
    StaleGroup,
    asked_in,
    stale_group_findings,
    stale_groups,
)
from baileys_tools.findings import Severity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GROUP, OTHER = "120363041234567890@g.us", "919420739001-1600000000@g.us"
ONE, TWO = "4917000000001:2@s.whatsapp.net", "270996591579169@lid"
ASKED, GIVEN_UP = "recv retry request", "will not send message again, as sent too many times"
INFO = 30


def line(
    message: str, says: str = ASKED, by: str = ONE, group: str = GROUP, ago: timedelta = timedelta(hours=1)
) -> bytes:
    """A line as pino writes it of `Socket/messages-recv.js: handleReceipt`."""
    attrs = {"from": group, "type": "retry", "id": message, "participant": by, "t": "1"}
    key = {"remoteJid": group, "id": "", "fromMe": True, "participant": by}
    record = {
        "level": INFO,
        "time": (NOW - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "pid": 7,
        "hostname": "bot",
        "class": "baileys",
        "attrs": attrs,
        "key": key,
        "msg": says,
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def found(*lines: bytes) -> list[StaleGroup]:
    records = dated(Wanted(*ASKED_AGAIN).in_lines(b"".join(lines), NOW.timestamp()), asked_in)
    return stale_groups((one.told._replace(at=one.at) for one in records), {GROUP, OTHER}, NOW)


def test_one_who_asks_for_three_messages_lacks_the_key() -> None:
    assert found(line("3EB001"), line("3EB002"), line("3EB003")) == [StaleGroup(GROUP, 1, 3)]


@pytest.mark.parametrize(
    "lines",
    [
        [line("3EB001"), line("3EB002")],
        list(repeat(line("3EB001"), 5)),
        [line("3EB001"), line("3EB002"), line("3EB003", by=TWO)],
        [line("3EB001"), line("3EB002"), line("3EB003", group=OTHER)],
        [line(f"3EB00{n}", ago=timedelta(hours=25)) for n in range(9)],
        [line(f"3EB00{n}", ago=timedelta(hours=-1)) for n in range(9)],
        [line(f"3EB00{n}", group="120363049999999999@g.us") for n in range(9)],
        [line(f"3EB00{n}", by="../../etc") for n in range(9)],
        [line(f"3EB00{n}", says="recv retry for not fromMe message") for n in range(9)],
        [line(f"3EB00{n}").replace(b'"time"', b'"when"') for n in range(9)],
        [json.dumps({"text": line(f"3EB00{n}").decode()}).encode() + b"\n" for n in range(9)],
    ],
)
def test_what_is_no_sign_of_a_lacking_key(lines: list[bytes]) -> None:
    assert found(*lines) == []


def test_what_the_bot_gave_up_on_is_enough() -> None:
    lines = [
        line("3EB001", GIVEN_UP, group=OTHER),
        line("3EB001"),
        line("3EB009", GIVEN_UP, by=TWO, group=OTHER),
    ]
    assert found(*lines) == [StaleGroup(OTHER, 2, 2)]


def test_the_hint_is_the_command_that_sends_the_key_again() -> None:
    (finding,) = stale_group_findings("1001", [StaleGroup(GROUP, 2, 5)])
    assert (finding.code, finding.severity) == ("group-keys-stale", Severity.WARNING)
    assert f"resend-group-keys --company 1001 --group {GROUP}" in finding.action
    (finding,) = stale_group_findings("1001", [StaleGroup(f"12036304{n}@g.us", 1, 3) for n in range(4)])
    assert "resend-group-keys --company 1001 --all" in finding.action
    assert stale_group_findings("1001", []) == []


def test_the_number_in_the_id_of_an_old_group_is_in_no_hint() -> None:
    (finding,) = stale_group_findings("1001", [StaleGroup(OTHER, 2, 5), StaleGroup(GROUP, 1, 3)])
    assert "919420739001" not in finding.action + finding.message
    assert "resend-group-keys --company 1001 --all" in finding.action


def test_lines_are_found_among_others_wherever_they_stand() -> None:
    noise = b'{"level":20,"msg":"recv receipt"}\n'
    lines = chain.from_iterable((noise, line(f"3EB{n:03}"), noise) for n in range(4))
    assert found(*lines) == [StaleGroup(GROUP, 1, 4)]
