"""Text and JSON for people and programs: nothing raw, nothing too wide, every reason in words."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cleanup.rules.plan import Reason, Tier, Verdict
from baileys_tools.cleanup.show.cleanup_text import cost_text
from baileys_tools.cleanup.show.reasons import reason_text
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, shown_text, timestamp
from baileys_tools.frame.show.terminal import Style, counted, printable_lines
from baileys_tools.limits import Gentle, Limits, Policy
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.units import printable

LONG_AGE = 36_499 * 86_400 * 1_000_000_000
LONG_LIMIT = timedelta(days=365)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("session-1.0.json", "session-1.0.json"),
        ("größe 文.json", "größe 文.json"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("csi\x9b31m", "csi\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("bad\udcff", "bad\\xff"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
    ],
)
def test_what_a_terminal_could_act_on_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_page_has_nothing_raw_either() -> None:
    assert shown_text("\x1b]0;x\x07\u202e\x9b2J 4917012345678\nb\udcff") == (
        "\\x1b]0;x\\x07\\u202e\\x9b2J 49****78\nb\\xff"
    )


@given(st.text(st.characters(codec=None)))
def test_printable_text_is_printable_and_encodable(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()
    if text.isprintable():
        assert printable(text) == text


@given(st.lists(st.text()))
def test_lines_stay_lines(lines: list[str]) -> None:
    joined = "\n".join(line.replace("\n", "") for line in lines)
    assert printable_lines(joined).count("\n") == joined.count("\n")


@given(st.text(st.characters(codec=None)))
def test_json_can_hold_any_name_and_shows_nothing_raw(name: str) -> None:
    text = envelope("cleanup", datetime(2026, 1, 15, tzinfo=UTC), ExitCode.DONE, {"name": name_text(name)})
    assert {character for character in text if not character.isprintable()} <= {"\n"}
    text.encode()
    back = json.loads(text)["name"]
    assert back in (name, printable(name))


def test_a_time_is_given_in_utc() -> None:
    assert timestamp(datetime.fromisoformat("2026-01-15T13:00:00.9+01:00")) == "2026-01-15T12:00:00Z"


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "file", "", "0 files"),
        (1, "file", "", "1 file"),
        (1_234, "company", "companies", "1,234 companies"),
        (1, "company", "companies", "1 company"),
    ],
)
def test_things_are_counted_in_english(number: int, noun: str, plural: str, text: str) -> None:
    assert counted(number, noun, plural) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "stream", "coloured"),
    [
        ({}, Terminal(), True),
        ({}, io.StringIO(), False),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": ""}, Terminal(), True),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], stream: io.StringIO, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    painted = Style(stream).paint("healthy", "green", "bold")
    assert painted == ("\x1b[32;1mhealthy\x1b[0m" if coloured else "healthy")


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_sentence_that_fits_a_line(reason: Reason, tier: Tier) -> None:
    """A verdict is indented by 11, and a line has 80."""
    pre_key = reason.value.startswith("pre-key")
    kind = {Reason.PROTECTED: Kind.APP_STATE_SYNC_VERSION, Reason.KIND_KEPT: Kind.IDENTITY_KEY}.get(
        reason, Kind.PRE_KEY if pre_key else Kind.SENDER_KEY_MEMORY
    )
    verdict = Verdict("name.json", kind, reason is Reason.OLD, reason, None if pre_key else LONG_AGE)
    text = reason_text(verdict, tier, Policy(gentle=Gentle(1_200, LONG_LIMIT, True, True)))
    assert 0 < len(text) <= 80 - 11, text
    assert text.isprintable()


def test_a_reason_names_the_limits_that_were_applied() -> None:
    policy = Policy(
        normal=Limits(Policy().normal.session_max_age * 2, Policy().normal.sender_key_max_age, 70)
    )
    session = Verdict("session-1.0.json", Kind.SESSION, True, Reason.OLD, 30 * 86_400 * 1_000_000_000)
    pre_key = Verdict("pre-key-1.json", Kind.PRE_KEY, True, Reason.PRE_KEY_OVER_LIMIT)
    assert reason_text(session, Tier.NORMAL, policy) == "last used 30.0d ago, limit 28d"
    assert reason_text(session, Tier.EMERGENCY, policy) == "last used 30.0d ago, limit 7d (emergency limit)"
    assert reason_text(pre_key, Tier.NORMAL, policy) == "not one of the 70 highest ids"
    assert reason_text(pre_key, Tier.EMERGENCY, policy) == "not one of the 30 highest ids (emergency limit)"


def test_a_cost_is_said_in_words() -> None:
    assert cost_text(Cost()) == "no message is delayed"
    said = cost_text(Cost(contacts=1, group_senders=2, pre_keys=3))
    assert "1 contact, if they write first" in said
    assert "2 group members" in said
    assert "3 new chats" in said
    assert "contact" not in cost_text(Cost(pre_keys=1))
