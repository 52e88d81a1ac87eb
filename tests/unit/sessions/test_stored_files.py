"""Cells of a store as the files of a folder: their names, and their values, which are parsed when somebody asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.sessions.rules.keyfiles import Kind, sort_by_kind
from baileys_tools.sessions.rules.snapshot import may_be_stored
from baileys_tools.sessions.stored.rules import files
from baileys_tools.sessions.stored.rules.files import as_files, change_of
from baileys_tools.stores.rules.mapping import PRESETS
from baileys_tools.stores.rules.rows import Cell

FAZER = PRESETS["fazer"]


def test_a_value_is_parsed_when_somebody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run looks into few of them, and of those that are written as a folder has them it needs the size only."""
    cells = [Cell("", f"session-{number}.0", '{"_sessions":{}}') for number in range(9)]
    cells.append(Cell("", "session-10.0", '{"a": [1, 2]}'))
    parsed = []

    def canonical(content: bytes) -> bytes:
        parsed.append(content)
        return b'{"a":[1,2]}'

    monkeypatch.setattr(files, "canonical", canonical)
    made = as_files(cells, FAZER)
    assert len(made.content) == 10
    assert parsed == []
    assert {len(made.content[f"session-{number}.0.json"]) for number in range(9)} == {16}
    assert parsed == []
    assert made.content["session-10.0.json"] == b'{"a":[1,2]}'
    assert parsed == [b'{"a": [1, 2]}']


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (Cell("creds", "", "{}"), "creds.json"),
        (Cell("", "creds", "{}"), ""),
        (Cell("", "session-", "{}"), ""),
        (Cell("", "sender-key-1@g.us::2_1::0", "{}"), "sender-key-1@g.us--2_1--0.json"),
        (Cell("", "sender-key-1@g.us--2_1--0", "{}"), "sender-key-1@g.us--2_1--0.json"),
        (Cell("app-state-sync-key", "AAAAAB//", "{}"), "app-state-sync-key-AAAAAB____.json"),
        (Cell("poll", "1", "{}"), ""),
        (Cell("pre", "key-5", "{}"), ""),
        (Cell("", "session-1\0.0", "{}"), ""),
        (Cell("", "pre-key-5.json.bak", "{}"), ""),
    ],
)
def test_a_cell_is_called_as_its_file_or_is_no_record(cell: Cell, name: str) -> None:
    made = as_files([cell], FAZER)
    assert [*made.content] == ([name] if name else [])
    assert len(made.misfits) == (not name)


@pytest.mark.parametrize(
    ("preset", "text"), [("evolution", r'"\ud800"'), ("keyv-redis", r'{"value":"\ud800"}'), ("fazer", "null")]
)
def test_a_value_that_has_no_bytes_stays_as_it_is_written(preset: str, text: str) -> None:
    """Half a pair of surrogates is no text of UTF-8: whoever can write to the store stops no pass with it."""
    made = as_files([Cell("", "session-1.0", text)], PRESETS[preset])
    assert dict(made.content) == {"session-1.0.json": text.encode()}
    assert made.unread() == ["session-1.0.json"]


@pytest.mark.parametrize("preset", ["evolution", "evolution-mixed", "fazer"])
@pytest.mark.parametrize(
    ("name", "key_id"),
    [
        ("sender-key-1@g.us--2_1--0.json", "sender-key-1@g.us::2_1::0"),
        ("app-state-sync-key-AAAAAB____.json", "app-state-sync-key-AAAAAB//"),
    ],
)
def test_what_comes_into_a_store_is_called_as_its_program_asks_for_it(
    preset: str, name: str, key_id: str
) -> None:
    """Evolution asks Redis by the true id (its hSet and hGet have no fixFileName): else it would find no sender-key."""
    change = change_of(name, b"{}", None, PRESETS[preset])
    assert change is not None
    assert change.id == key_id


@given(st.data(), st.sampled_from([kind for kind in Kind if kind.traits.grammar]))
def test_a_name_that_fits_the_grammar_of_its_kind_can_stand_in_a_folder(
    data: st.DataObject, kind: Kind
) -> None:
    """Such names are not looked at one by one."""
    assert may_be_stored(data.draw(st.from_regex(kind.traits.grammar, fullmatch=True)))


def test_the_names_are_sorted_as_those_of_a_folder() -> None:
    ids = ["pre-key-1", "session-1.0", "lid-mapping-1", "tctoken-\x1b", "tctoken-2", "a\0b", "device-list-1"]
    made = as_files([Cell("creds", "", "{}"), *(Cell("", one, "{}") for one in ids)], FAZER)
    assert made.kinds == sort_by_kind(made.content)
    assert len(made.content) == 6
