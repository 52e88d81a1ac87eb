"""Patterns of session folders: what matches, what a company is called, and that no name takes long."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.layouts import LAYOUTS, MOST_PARTS, RootSpec, SessionsPath, roots_of, valid_pattern
from baileys_tools.sessions.rules.patterns import pattern, patterns_of


@pytest.mark.parametrize(
    ("text", "name", "stars"),
    [
        ("auth_info_*", "auth_info_alice", ("alice",)),
        ("auth_info_*", "auth_info_", ("",)),
        ("auth_info_*", "other", None),
        ("*", "any", ("any",)),
        ("*", ".hidden", None),
        (".*", ".hidden", ("hidden",)),
        ("*-*-x", "a-b-c-x", ("a", "b-c")),
        ("a?c", "abc", ()),
        ("a?c", "abbc", None),
        ("[0-9]*", "42", ("2",)),
        ("[!0-9]*", "42", None),
        ("[]a]b", "]b", ()),
        ("a[b", "a[b", ()),
        ("a.c", "abc", None),
        ("*", "two\nlines", ("two\nlines",)),
        ("auth_info_baileys", "auth_info_baileys", ()),
        ("auth_info_baileys", "auth_info_baileys2", None),
    ],
)
def test_a_part_matches_as_a_shell_does(text: str, name: str, stars: tuple[str, ...] | None) -> None:
    assert pattern(text).parts[0].match(name) == stars


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_stars_match_as_fnmatch_does(text: str, name: str) -> None:
    from fnmatch import fnmatchcase

    if text:
        assert (pattern(text).parts[0].match(name) is not None) == fnmatchcase(name, text)


def test_a_long_name_takes_no_time_whatever_the_pattern() -> None:
    part = pattern("*a" * 40 + "*b").parts[0]
    begin = time.process_time()
    assert part.match("a" * 255) is None
    assert time.process_time() - begin < 0.05


@pytest.mark.parametrize(
    ("text", "name", "entry", "called"),
    [
        ("*/auth_info_baileys", "", "alice/auth_info_baileys", "alice"),
        ("auth_info_*", "", "auth_info_bob", "bob"),
        ("*/*", "", "acme/1555", "acme-1555"),
        ("*/*", "{2}", "acme/1555", "1555"),
        ("*/*", "{1}.{2}", "acme/1555", "acme.1555"),
        ("*", "", "company_7", "7"),
        ("main/auth", "", "main/auth", "auth"),
        ("[0-9]*", "", "42", "42"),
        ("auth_*", "", "auth_", "auth_"),
        ("*/auth", "{9}", "alice/auth", "auth"),
        ("x*", "", "x..", "x.."),
    ],
)
def test_a_company_is_called_by_what_differs(text: str, name: str, entry: str, called: str) -> None:
    one = pattern(text, name)
    stars = [
        star
        for part, word in zip(one.parts, entry.split("/"), strict=True)
        for star in part.match(word) or ()
    ]
    assert one.company(stars, entry) == called


@pytest.mark.parametrize(
    ("text", "has_own_name"),
    [("*", False), ("*/*", False), ("?*", False), ("auth_*", True), ("*/auth", True), (".", True)],
)
def test_a_pattern_with_a_text_at_its_end_names_session_folders(text: str, has_own_name: bool) -> None:
    assert pattern(text).has_own_name is has_own_name


@pytest.mark.parametrize(
    ("text", "filled"), [("auth_info_*", "auth_info_x"), ("*/auth", "x/auth"), ("*/*", ""), ("[ab]*", "")]
)
def test_where_a_company_would_stand(text: str, filled: str) -> None:
    assert pattern(text).filled_in("x") == filled


@pytest.mark.parametrize("text", ["/a", "a/../b", "**/a", "/".join("a" * (MOST_PARTS + 1)), "a\nb", "[z-a]"])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        valid_pattern(text)


def test_every_layout_has_patterns_that_can_be_read_and_a_source() -> None:
    for layout in LAYOUTS.values():
        assert all(valid_pattern(text) for text, _ in layout.folders)
        assert len(patterns_of(layout.folders)) == len(layout.folders)
        assert "/" in layout.source


def test_sub_bots_of_every_fork_are_called_by_their_number() -> None:
    patterns = patterns_of(LAYOUTS["jadibot"].folders)
    beside = (
        "GataJadiBot/1555",
        "jadibts/1555",
        "session/jadibot/1555",
        "Main/jadibts/1555",
        "JadiBots/1555",
        "URSubBot/1555",
        "subbots/1555",
        "chatunity-sub/1555",
        "serbot/1555",
    )
    for entry in (*beside, "Shadow/Jadibos/1555", "Sessions/SubBot/1555", "sessions/session-sub/1555"):
        words = entry.split("/")
        found = [
            one.company(
                [
                    star
                    for part, word in zip(one.parts, words, strict=True)
                    for star in part.match(word) or ()
                ],
                entry,
            )
            for one in patterns
            if len(one.parts) == len(words)
            and all(part.match(word) is not None for part, word in zip(one.parts, words, strict=True))
        ]
        assert found[0] == "1555", entry


def test_a_path_with_stars_is_split_unless_a_folder_has_that_very_name(tmp_path: Path) -> None:
    text = f"{tmp_path}/*/auth_info_baileys"
    assert roots_of(text) == (RootSpec(str(tmp_path), ("*/auth_info_baileys",)),)
    (tmp_path / "a*b").mkdir()
    assert roots_of(f"{tmp_path}/a*b") == (RootSpec(f"{tmp_path}/a*b"),)
    assert str(SessionsPath(RootSpec("/a"), RootSpec("/b", ("*/c",)))) == "/a, /b/*/c"
