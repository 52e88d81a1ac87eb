"""The message that a phone shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.alerts.rules.alerts import Alert, Why
from baileys_tools.alerts.show.alert_text import (
    LONGEST_LINE,
    MOST_CHARACTERS,
    MOST_FACTS,
    alert_message,
    spoken,
    without_numbers,
)
from baileys_tools.config import Secret
from baileys_tools.findings import Severity

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def alert(company: str = "1", code: str = "file-count", why: Why = Why.APPEARED, **more: object) -> Alert:
    basis = Alert(why, NOW, company, code, Severity.WARNING, "150 counted files (limit 150)", "clean it")
    return basis._replace(**more)  # type: ignore[arg-type]


def text_of(alerts: Sequence[Alert]) -> str:
    return alert_message(alerts, "bot7", NOW).text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (1_259, "20 min"),
        (7_800, "2 h 10 min"),
        (7_200, "2 h"),
        (86_400 + 4 * 3_600 + 60, "1 d 4 h"),
        (3 * 86_400 + 60, "3 d"),
        (-5, "0 s"),
    ],
)
def test_a_duration_as_a_person_says_it(seconds: int, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words


def test_what_does_not_fit_is_counted() -> None:
    codes = [f"code-{number}" for number in range(24)]
    text = text_of([alert(str(number), code) for number, code in enumerate(codes)])
    assert text.startswith(
        "WARNING: 24 findings on bot7\n\nWARNING company 0: 150 counted files (limit 150)\n> clean it"
    )
    assert text.count("clean it") == 10
    assert text.endswith("\n\nand 14 more: baileys-tools status")


def test_the_same_in_many_companies_is_one_entry() -> None:
    text = text_of([alert(str(number)) for number in range(1, 201)])
    assert text == (
        "WARNING: 200 findings on bot7\n\n"
        "WARNING 200 companies (1, 2, 3 and 197 more): 150 counted files (limit 150)\n> clean it"
    )


def test_a_few_companies_stand_by_themselves() -> None:
    assert text_of([alert("1"), alert("2"), alert("3")]).count("company ") == 3


def test_a_forecast_is_told() -> None:
    text = text_of([alert(facts={"forecast": "reaches 175 in 3 days"})])
    assert "150 counted files (limit 150), reaches 175 in 3 days\n" in text


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (2, "(again)"),
        (3, "(the 3rd time)"),
        (11, "(the 11th time)"),
        (22, "(the 22nd time)"),
        (31, "(the 31st time)"),
    ],
)
def test_what_comes_again_is_counted(times: int, words: str) -> None:
    assert f"WARNING {words} company 1" in text_of([alert(why=Why.AGAIN, times=times)])


def test_what_is_over_is_told_without_what_it_would_have_meant() -> None:
    over = alert(why=Why.OVER, message="creds.json is empty: the bot will ask", lasted=timedelta(minutes=130))
    message = alert_message([over], "bot7", NOW)
    assert message.text == "OVER on bot7\n\nover after 2 h 10 min: company 1: creds.json is empty"
    assert message.level == "ok"


def test_a_name_that_two_places_have_is_told_with_the_folder_around_it() -> None:
    one = alert("auth_info_baileys", path="/srv/4917012345678/auth_info_baileys")
    assert "company auth_info_baileys (/srv/49****78): " in text_of([one])
    assert "company auth_info_baileys: " in text_of([one._replace(path="")])
    many = [one._replace(path=f"/srv/{name}/auth_info_baileys", why=Why.APPEARED) for name in "abcd"]
    assert "auth_info_baileys (/srv/a), auth_info_baileys (/srv/b)" in text_of(many)
    assert alert_message([one], "host", NOW).facts["alerts"][0]["path"] == "/srv/49****78/auth_info_baileys"
    assert "path" not in alert_message([one._replace(path="")], "host", NOW).facts["alerts"][0]


def test_the_host_itself_is_named_so() -> None:
    assert "WARNING this host: " in text_of([alert("")])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the account 4917012345678 is", "the account 49****78 is"),
        ("919585510685:17@s.whatsapp.net", "91****85:17@s.whatsapp.net"),
        ("+4917012345678", "49****78"),
        ("270996591579169@lid", "27****69@lid"),
        ("session-4917012345678.0.json", "session-49****78.0.json"),
        (
            "176 counted files (limit 175), 1,234,567,890 bytes",
            "176 counted files (limit 175), 1,234,567,890 bytes",
        ),
        ("2026-01-15 12:00", "2026-01-15 12:00"),
    ],
)
def test_phone_numbers_are_masked(text: str, shown: str) -> None:
    assert without_numbers(text) == shown


def test_an_id_that_is_a_number_stays_for_the_command_to_be_typed() -> None:
    number = "4917012345678"
    text = text_of([alert(number, action=f"baileys-tools cleanup --company {number}")])
    assert f"--company {number}" in text
    assert "--company shop-4917012345678" in text_of(
        [alert("shop-4917012345678", action="x --company shop-4917012345678")]
    )
    assert "49****79" in text_of([alert(number, message="4917012345679")])


def test_secrets_and_control_characters_are_not_told() -> None:
    Secret("canary-of-the-message")
    message = alert_message(
        [alert(message="canary-of-the-message\x1b[2J", facts={"a": "canary-of-the-message"})], "b", NOW
    )
    assert "canary" not in message.text + str(message.facts)
    assert all(line.isprintable() for line in message.text.split("\n"))


@given(
    st.lists(
        st.builds(
            alert,
            st.text(max_size=300),
            st.text(max_size=9),
            st.sampled_from(Why),
            message=st.text(max_size=900),
            action=st.text(max_size=900),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_no_message_is_too_long_for_any_service(alerts: list[Alert]) -> None:
    message = alert_message(alerts, "bot7", NOW)
    assert len(message.text) <= MOST_CHARACTERS + 200
    assert len(message.facts["alerts"]) + message.facts["more"] == len(alerts)
    assert all(len(one["message"]) <= LONGEST_LINE for one in message.facts["alerts"])


def test_the_facts_are_capped_too() -> None:
    message = alert_message([alert(str(number)) for number in range(130)], "bot7", NOW)
    assert (len(message.facts["alerts"]), message.facts["more"]) == (MOST_FACTS, 30)
