"""Ages of records in a store that keeps no times: what one look after another makes of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.sessions.stored.rules.ages import FirstSeen, ages, short_hash
from baileys_tools.stores.rules.rows import Cell

KEY = bytes(16)
DAY = 86_400 * 10**9
NAMES = ("session-1.0.json", "session-2.0.json", "tctoken-1.json")
WORLDS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(("", "a", "b", "1 a", "a\0tctoken-1.json\01 a"))
)
LOOKS = st.lists(st.tuples(WORLDS, st.sampled_from((0, 1, DAY, 61 * DAY, -DAY))), max_size=12)


def look(world: dict[str, str], known: FirstSeen, now: int) -> tuple[dict[str, int], FirstSeen]:
    return ages({name: Cell("", name, text) for name, text in world.items()}, known, now)


class Oracle:
    """What it has to come to, in words of its own: since when a name has held what it holds, as far as was looked."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, int]] = {}
        self.last: dict[str, str] = {}

    def look(self, world: dict[str, str], now: int) -> dict[str, int]:
        before, known = dict(self.held), dict[str, int]()
        for name, text in world.items():
            stood = before.get(name)
            known[name] = stood[1] if stood and stood[0] == text and stood[1] <= now else now
        changed = (
            any(before.get(name) != (text, known[name]) for name, text in world.items()) or world != self.last
        )
        self.held = {name: (text, known[name]) for name, text in world.items()}
        for name, (text, since) in before.items():
            if name not in world and (not changed or 0 <= now - since < 60 * DAY):
                self.held[name] = text, since
        self.last = dict(world)
        return known


@given(LOOKS)
def test_a_record_is_as_old_as_it_was_seen_unchanged(looks: list[tuple[dict[str, str], int]]) -> None:
    oracle, known, now = Oracle(), FirstSeen(KEY), 1_000 * DAY
    for world, passed in looks:
        now += passed
        times, known = look(world, known, now)
        assert times == oracle.look(world, now)
        known = FirstSeen.of_text(known.text())


def test_what_stands_still_is_remembered_as_it_was_and_looked_at_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = dict.fromkeys(NAMES, "a")
    _, known = look(world, FirstSeen(KEY), DAY)
    monkeypatch.setattr(json, "loads", None)  # nothing is parsed
    times, again = look(world, known, 9 * DAY)
    assert again is known
    assert times == dict.fromkeys(NAMES, DAY)


def test_a_clock_that_went_back_makes_nothing_older() -> None:
    world = dict.fromkeys(NAMES, "a")
    _, known = look(world, FirstSeen(KEY), 9 * DAY)
    assert look(world, known, 2 * DAY)[0] == dict.fromkeys(NAMES, 2 * DAY)


def test_two_records_that_read_as_two_others_are_told_apart() -> None:
    first, second, _ = NAMES
    world = {first: f"a{second}\0001 b", second: "c"}
    _, known = look(world, FirstSeen(KEY), DAY)
    other = {first: "a", second: f"b{second}\0001 c"}
    assert look(other, known, 2 * DAY)[0] == dict.fromkeys(other, 2 * DAY)


def test_the_memory_of_an_older_version_is_read_on() -> None:
    hashed = short_hash(KEY)
    old = json.dumps({"key": KEY.hex(), "seen": {hashed(NAMES[0]): [hashed("a"), DAY]}})
    times, known = look({NAMES[0]: "a", NAMES[1]: "a"}, FirstSeen.of_text(old), 9 * DAY)
    assert times == {NAMES[0]: DAY, NAMES[1]: 9 * DAY}
    assert look({NAMES[0]: "a"}, FirstSeen.of_text(known.text()), 10 * DAY)[0] == {NAMES[0]: DAY}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{", '{"key":1}', '{"key":"00"}', '{"key":"00","whole":"","since":[[]]}']
)
def test_a_memory_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        FirstSeen.of_text(text)


@pytest.mark.parametrize(
    "rest", ["", "[]", "{", '{"a":1}', '{"a":[]}', '{"a":["b","c"]}', '{"a":["b",1e999]}', "[" * 100_000]
)
def test_a_memory_whose_rest_is_damaged_makes_everything_young(rest: str) -> None:
    text = FirstSeen(KEY).text().partition("\n")[0]
    assert look({NAMES[0]: "a"}, FirstSeen.of_text(f"{text}\n{rest}"), DAY)[0] == {NAMES[0]: DAY}


def test_what_the_store_itself_says_is_taken_and_nothing_is_from_tomorrow() -> None:
    cells = {
        NAMES[0]: Cell("", "", "a", 5 * DAY),
        NAMES[1]: Cell("", "", "a", 50 * DAY),
        NAMES[2]: Cell("", "", "a"),
    }
    times, known = ages(cells, FirstSeen(KEY), 9 * DAY)
    assert times == dict(zip(NAMES, (5 * DAY, 9 * DAY, 9 * DAY), strict=True))
    assert len(known.seen) == 1


def test_of_a_store_that_keeps_times_nothing_is_remembered() -> None:
    nothing = FirstSeen(KEY)
    times, known = ages({NAMES[0]: Cell("", "", "a", 5 * DAY)}, nothing, 9 * DAY)
    assert times == {NAMES[0]: 5 * DAY}
    assert known is nothing, "and no file is written for it"
