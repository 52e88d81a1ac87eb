"""Where an older key is worse than none, and what the plan of a restore states of it: measured with the real client
(restore_contract.mjs), in stories beside the table of docs/backups.md.
"""

from __future__ import annotations

import pytest

from tests.contract.test_restore import Outcome, Part, measure_part

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]


def versions(here: str) -> pytest.MarkDecorator:
    """The version in which an accident happens in the default run; in the long proofs it happens in both."""
    (other,) = {"baileys6", "baileys7"} - {here}
    return pytest.mark.parametrize("version", [here, pytest.param(other, marks=pytest.mark.faults)])


class Measure:
    """Measures one accident in one story; each on a world of its own."""

    def __init__(self, homes: pytest.TempPathFactory) -> None:
        self._homes = homes

    def __call__(
        self, version: str, story: str, accident: str, *choices: str, strangers: int = 5
    ) -> list[Outcome]:
        """Return the outcome of each choice."""
        part = Part(version, (story,), (accident,), choices, strangers)
        table = measure_part(part, self._homes.mktemp(version))
        return [table[accident, story][choice] for choice in choices]


@pytest.fixture
def measure(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    return Measure(tmp_path_factory)


def stated(outcome: Outcome, what: str) -> int:
    assert outcome.plan is not None
    found: int = outcome.plan["cost"][what]
    return found


@versions("baileys7")
def test_sessions_do_not_come_back_on_the_word_of_others(measure: Measure, version: str) -> None:
    """The bot wrote to one contact, and a crash took just what it wrote: all that is left stands as it stood."""
    repair, known = measure(version, "one contact", "sessions since lost", "repair", "repair with sessions")
    assert repair.failed("bot_to_contact", "bot_to_group") == 0
    assert repair.failed("contact_to_bot") == stated(repair, "contacts") == 3
    # What the operator orders who does not know; and proves the check above.
    assert known.failed("bot_to_contact") > 0


@versions("baileys6")
def test_recover_brings_no_session_back_either(measure: Measure, version: str) -> None:
    (outcome,) = measure(version, "one contact", "creds.json and sessions since torn", "recover")
    assert outcome.failures is not None, "creds.json came back"
    assert outcome.failed("bot_to_contact", "bot_to_group") == 0
    assert outcome.failed("contact_to_bot") == 3


@versions("baileys6")
def test_a_rollback_leaves_the_newer_keys_of_members(measure: Measure, version: str) -> None:
    rollback, unpacked = measure(
        version, "members make new keys", "creds.json empty", "rollback", "unpack over it"
    )
    assert rollback.failed("member_to_group") == stated(rollback, "group_senders") == 0
    assert stated(rollback, "older_keys") == 0
    assert unpacked.failed("member_to_group") == unpacked.attempts["member_to_group"] >= 14


@versions("baileys7")
def test_a_key_that_comes_back_costs_no_more_than_is_stated_and_than_none(
    measure: Measure, version: str
) -> None:
    repair, left = measure(
        version, "members make new keys", "sender-keys of others lost", "repair", "leave it"
    )
    failed = repair.failed("member_to_group")
    assert failed == left.failed("member_to_group") == stated(repair, "older_keys")
    assert stated(repair, "group_senders") == 0


@versions("baileys6")
@pytest.mark.parametrize(
    "accident",
    ["odd pre-keys since lost", pytest.param("odd pre-keys since torn", marks=pytest.mark.faults)],
)
def test_pre_keys_that_were_uploaded_and_lost_are_stated(
    measure: Measure, version: str, accident: str
) -> None:
    (repair,) = measure(version, "one upload", accident, "repair", strangers=20)
    assert repair.failed("offered") == 10
    assert stated(repair, "pre_keys") == 15  # of the 30 that were uploaded; the last 20 are tried
    assert repair.failed("minted") == 0
