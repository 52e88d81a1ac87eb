"""Whom an operator means, and who that is in the folder."""

from __future__ import annotations

import pytest

from baileys_tools.cleanup.rules.cost import Cost
from baileys_tools.cures.rules.asides import AsideReason
from baileys_tools.cures.rules.contact import (
    Identity,
    Pair,
    Typed,
    identity_of,
    known_as,
    pairs_of,
    typed_contact,
)
from baileys_tools.cures.rules.group_keys import group_named, plan_group_keys
from baileys_tools.cures.show.words import address_shown, file_shown, group_shown
from baileys_tools.sessions.rules.creds import Address, Creds
from baileys_tools.sessions.rules.folder import FolderFacts, WholeKey
from baileys_tools.sessions.rules.keyfiles import sort_by_kind

PN, LID = "4917012345678", "270996591579169"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PN, Typed(PN, None)),
        ("+49 170 1234-5678", Typed(PN, None)),
        ("+49 (170) 123/45678", Typed(PN, None)),
        ("\u202a+49\u00a0170\u00a01234\u20115678\u202c", Typed(PN, None)),
        (f"{PN}@s.whatsapp.net", Typed(PN, False)),
        (f"{PN}:12@s.whatsapp.net", Typed(PN, False)),
        (f"{PN}@c.us", Typed(PN, False)),
        (f"{LID}@lid", Typed(LID, True)),
        (f"{LID}_1.0", Typed(LID, True)),
        (f"{PN}.0", Typed(PN, None)),
        (f"00{PN}", Typed(PN, None)),
        (f"00 {PN}", Typed(PN, None)),
        (f"session-{LID}_1.12.json", Typed(LID, True)),
        (f"session-{PN}.0.json", Typed(PN, None)),
        ("120363041234567890", None),
        ("120363041234567890@newsletter", None),
        ("status@broadcast", None),
        (f"0{PN}", None),
        ("", None),
        ("Anna", None),
        ("1234", None),
        ("../1234567", None),
        ("4917012345678\n", Typed(PN, None)),
        ("4917012345678@g.us", None),
        ("120363400000000001-1600000000@g.us", None),
        ("٤٩١٧٠١٢٣٤٥", None),
        ("4" * 21, None),
    ],
)
def test_whom_a_text_names(text: str, expected: Typed | None) -> None:
    assert typed_contact(text) == expected


@pytest.mark.parametrize(
    ("typed", "forward", "reverse", "expected"),
    [
        (Typed(PN, None), {PN: LID}, {LID: PN}, Identity(PN, LID, True, True)),
        (Typed(LID, None), {PN: LID}, {LID: PN}, Identity(PN, LID, True, True)),
        (Typed(LID, True), {PN: LID}, {LID: PN}, Identity(PN, LID, True, True)),
        (Typed(PN, None), {PN: LID}, {}, Identity(PN, LID, True, False)),
        (Typed(LID, None), {}, {LID: PN}, Identity(PN, LID, False, True)),
        (Typed(PN, None), {}, {}, Identity(PN)),
        (Typed(LID, True), {}, {}, Identity(lid=LID)),
        # What is said to be a number is not looked up as a LID.
        (Typed(LID, False), {}, {LID: PN}, Identity(LID)),
    ],
)
def test_who_that_is(
    typed: Typed, forward: dict[str, str], reverse: dict[str, str], expected: Identity
) -> None:
    assert identity_of(typed, forward.get, reverse.get) == expected


@pytest.mark.parametrize(
    ("dialled", "known"),
    [
        ("525512345678", "5215512345678"),
        ("541112345678", "5491112345678"),
        ("5531996348800", "553196348800"),
    ],
)
def test_who_is_known_with_a_digit_more_or_less(dialled: str, known: str) -> None:
    """Of Mexico, Argentina and Brazil: whichever was typed, who is there is meant, and the typed one first."""
    for typed, other in ((dialled, known), (known, dialled)):
        for names in ([f"session-{other}.0.json"], []):
            facts = FolderFacts(sort_by_kind(names), {}, ME)
            expected = Identity(other) if names else Identity(typed)
            assert known_as(Typed(typed, None), facts, _nobody, _nobody) == expected
            assert known_as(Typed(typed, False), facts, {other: LID}.get, _nobody) == Identity(
                other, LID, True
            )
        both = FolderFacts(sort_by_kind([f"session-{one}.0.json" for one in (dialled, known)]), {}, ME)
        assert known_as(Typed(typed, None), both, _nobody, _nobody) == Identity(typed)
        assert known_as(Typed(typed, True), both, _nobody, _nobody) == Identity(lid=typed)


def _nobody(user: str) -> None:
    return None


def test_the_pairs_of_mappings() -> None:
    assert pairs_of(
        [
            (f"lid-mapping-{PN}.json", LID),
            (f"lid-mapping-{LID}_reverse.json", PN),
            ("lid-mapping-4917099999999.json", "111111111111111"),
            ("lid-mapping-222222222222222_reverse.json", "4917011111111"),
            ("lid-mapping-49\n17.json", LID),
            ("lid-mapping-=cmd()|x_reverse.json", PN),
        ]
    ) == [
        Pair("4917011111111", "222222222222222", False, True),
        Pair(PN, LID, True, True),
        Pair("4917099999999", "111111111111111", True, False),
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (f"session-{PN}.0.json", "session-49****78.0.json"),
        (f"session-{LID}_1.12.json.bak", "session-27****69_1.12.json.bak"),
        ("sender-key-memory-120363400000000001@g.us.json", "sender-key-memory-120363400000000001@g.us.json"),
        (
            f"sender-key-memory-{PN}-1600000000@g.us.json",
            "sender-key-memory-49****78-1600000000@g.us.json",
        ),
        (
            f"sender-key-120363400000000001@g.us--{PN}--0.json",
            "sender-key-120363400000000001@g.us--49****78--0.json",
        ),
        (f"lid-mapping-{LID}_reverse.json", "lid-mapping-27****69_reverse.json"),
        ("pre-key-123456789.json", "pre-key-123456789.json"),
        ("note\nof 4917012345678", "note\\nof 49****78"),
    ],
)
def test_no_number_is_shown_unasked(name: str, shown: str) -> None:
    assert file_shown(name, show_numbers=False) == shown
    assert "****" not in file_shown(name, show_numbers=True)


def test_groups_and_addresses_as_they_are_shown() -> None:
    assert group_shown("919420739001-1600000000@g.us", False) == "91****01-1600000000@g.us"
    assert address_shown(f"{PN}.0", False) == "49****78.0"
    assert address_shown("1234567", False) == "12****67"


def test_a_group_may_be_named_without_its_server() -> None:
    assert group_named("120363400000000001") == "120363400000000001@g.us"
    assert group_named(" 120363400000000001@g.us ") == "120363400000000001@g.us"


ME = Creds(Address("919585510685", 17), Address("270996591579169", 17), 31, 31, paired=True)
GROUP, OTHER, GONE = "1@g.us", "2@g.us", "3@g.us"


def test_which_memories_go_and_what_that_costs() -> None:
    names = [
        *(f"sender-key-memory-{group}.json" for group in (GROUP, OTHER, GONE, "status@broadcast")),
        f"sender-key-{GROUP}--919585510685--17.json",
        f"sender-key-{OTHER}--270996591579169_1--17.json",
        f"sender-key-{GONE}--4917012345678--0.json",
    ]
    facts = FolderFacts(sort_by_kind(names), {name: WholeKey(1, 7) for name in names}, ME)
    plan = plan_group_keys(facts, [GROUP, GONE, "status@broadcast", "4@g.us"], {GROUP: 5, GONE: 2})
    assert [(one.about, one.why, one.told) for one in plan.asides] == [
        (GROUP, AsideReason.ASKED, 5),
        (GONE, AsideReason.KEY_GONE, 2),
    ]
    assert plan.cost == Cost(key_messages=7)
