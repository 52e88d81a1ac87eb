"""The ladder: what may be tried for which cause, and what must never be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.bots.rules.diagnosis import Cause, Confidence, Diagnosis
from baileys_tools.recovery.rules.recovery import LADDERS, Means, RecoveryLimits, Rung, checklist, ladder

ALL = Means(can_reconnect=True, can_restart=True, has_snapshot=True, stopped=True, can_stop=True)
MEANS = st.builds(
    Means,
    can_see=st.booleans(),
    can_reconnect=st.booleans(),
    can_restart=st.booleans(),
    shared_with=st.sampled_from([0, 1]),
    has_snapshot=st.booleans(),
    stopped=st.booleans(),
    can_stop=st.booleans(),
    has_creds=st.booleans(),
    is_connected=st.booleans(),
    bak=st.sampled_from(["", "creds.json.bak"]),
    bak_is_proven=st.booleans(),
)
NEED_A_PERSON = frozenset({Cause.LOGGED_OUT, Cause.BANNED, Cause.OUTDATED_CLIENT, Cause.TWO_PROCESSES})
CAUSES = st.sampled_from(list(Cause))
TRIED = st.sets(st.sampled_from([rung for rung in Rung if rung is not Rung.PERSON]))


def rungs(cause: Cause, means: Means = ALL, tried: set[Rung] | None = None) -> list[Rung]:
    diagnosis = Diagnosis(cause, Confidence.LIKELY, ("so it says",))
    return [step.rung for step in ladder(diagnosis, means, RecoveryLimits(), tried or set())]


@pytest.mark.parametrize(
    ("cause", "steps"),
    [
        (Cause.HEALTHY, []),
        (Cause.RESTARTING, ["wait", "reconnect", "restart", "person"]),
        (Cause.NETWORK, ["wait", "reconnect", "restart", "person"]),
        (Cause.TEMPORARY_AUTH, ["reconnect", "restart", "person"]),
        (Cause.HUNG, ["reconnect", "restart", "person"]),
        (Cause.STOPPED, ["restart", "person"]),
        (Cause.CREDS_LOST, ["restore", "person"]),
        (Cause.UNKNOWN, ["wait", "reconnect", "person"]),
        (Cause.NOT_LINKED, ["person"]),
        (Cause.TWO_PROCESSES, ["person"]),
        (Cause.LOGGED_OUT, ["person"]),
        (Cause.BANNED, ["person"]),
        (Cause.OUTDATED_CLIENT, ["person"]),
    ],
)
def test_each_cause_has_its_ladder(cause: Cause, steps: list[str]) -> None:
    assert [rung.value for rung in rungs(cause)] == steps


def test_every_cause_has_one() -> None:
    assert set(LADDERS) == set(Cause)


@given(CAUSES, MEANS, TRIED)
def test_whatever_is_known_the_ladder_is_sound(cause: Cause, means: Means, tried: set[Rung]) -> None:
    found = rungs(cause, means, tried)
    if cause is Cause.HEALTHY:
        assert found == []
        return
    assert found[-1] is Rung.PERSON
    assert found.count(Rung.PERSON) == 1
    assert not tried & set(found[:-1]), "no step twice"
    if cause in NEED_A_PERSON:
        assert found == [Rung.PERSON]
    if Rung.RESTORE in found:
        assert cause is Cause.CREDS_LOST
        assert means.has_snapshot
        assert means.stopped or means.can_stop
    if Rung.FROM_BAK in found:
        assert cause is Cause.CREDS_LOST and means.bak
        assert means.stopped or means.can_stop
        assert found[0] is Rung.FROM_BAK, "it is newer than any snapshot"
    repairs = {Rung.RESTORE, Rung.FROM_BAK}
    if cause is Cause.CREDS_LOST and not (repairs & tried and means.has_creds):
        # A bot that starts without creds makes itself a new identity.
        assert not {Rung.RECONNECT, Rung.RESTART} & set(found)
    if means.is_connected and cause is not Cause.HUNG:
        assert not {Rung.RECONNECT, Rung.RESTART} & set(found), "it may well be working"
    if Rung.RECONNECT in found:
        assert means.can_reconnect
    if Rung.RESTART in found:
        assert means.can_restart


@given(CAUSES, MEANS, TRIED)
def test_every_step_is_explained_and_every_person_told_what_to_do(
    cause: Cause, means: Means, tried: set[Rung]
) -> None:
    diagnosis = Diagnosis(cause, Confidence.LIKELY, ("so it says",))
    for step in ladder(diagnosis, means, RecoveryLimits(), tried):
        assert step.text
        assert "{" not in step.text or "{company}" not in step.text
    lines = checklist(diagnosis, means, tried, "1001")
    assert len(lines) >= 2
    assert tried or "tried" not in lines[0], "nothing was"
    assert not any("{company}" in line for line in lines)


def test_a_removed_device_leads_to_reset() -> None:
    lines = checklist(Diagnosis(Cause.LOGGED_OUT, Confidence.CERTAIN, ()), ALL, (), "1001")
    assert any("reset --company 1001" in line for line in lines)


def test_that_a_process_is_shared_is_said_before_it_is_restarted() -> None:
    shared = ALL._replace(shared_with=2)
    steps = ladder(Diagnosis(Cause.STOPPED, Confidence.CERTAIN, ()), shared, RecoveryLimits())
    assert "2 other company(ies) share" in steps[0].text


def test_a_repair_without_any_sign_of_the_bot_says_so_first() -> None:
    lost = Diagnosis(Cause.CREDS_LOST, Confidence.CERTAIN, ())
    unseen = ALL._replace(stopped=True, unseen=True)
    assert "stop it first" in ladder(lost, unseen, RecoveryLimits())[0].text
    assert "stop it first" not in ladder(lost, unseen._replace(unseen=False), RecoveryLimits())[0].text


@pytest.mark.parametrize("tried", [(), (Rung.RESTORE,)])
def test_creds_that_are_whole_again_want_a_start_and_no_repair_or_reset(tried: tuple[Rung, ...]) -> None:
    lost = Diagnosis(Cause.CREDS_LOST, Confidence.LIKELY, ())
    lines = " ".join(checklist(lost, ALL._replace(has_creds=True), tried, "1001"))
    assert "whole again" in lines and "and start it" in lines
    assert "reset" not in lines and "damaged" not in lines


def test_without_a_snapshot_an_old_copy_goes_before_a_new_login() -> None:
    lines = checklist(Diagnosis(Cause.CREDS_LOST, Confidence.CERTAIN, ()), Means(), (), "1001")
    assert "backup --import" in lines[-3]
    assert "reset --company 1001" in lines[-2]
    assert "WhatsApp refuses new devices for hours at times" in lines[-1]


@pytest.mark.parametrize("cause", Cause)
def test_each_command_of_a_checklist_is_about_the_one_company(cause: Cause) -> None:
    for means in (Means(), ALL, ALL._replace(has_creds=True)):
        for line in checklist(Diagnosis(cause, Confidence.CERTAIN, ()), means, (), "1001"):
            assert line.count("baileys-tools ") == line.count("--company 1001"), line
