"""QR codes as modules, as pictures and back."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from baileys_tools.bots.rules.qr import modules_of_picture, picture_of, picture_of_modules
from baileys_tools.bots.show.qr_text import qr_text, why_cut


def modules_of(text: str) -> list[list[bool]]:
    return [[bool(module) for module in row] for row in segno.make_qr(text).matrix]


@settings(max_examples=40)
@given(st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=400), st.integers(1, 6))
def test_a_picture_is_read_back_as_it_was_drawn(text: str, scale: int) -> None:
    modules = modules_of(text)
    assert modules_of_picture(picture_of_modules(modules, scale)) == modules


@pytest.mark.parametrize(
    "how",
    [
        {"scale": 1, "border": 0},
        {"scale": 4},
        {"scale": 3, "dark": "#075E54"},
        {"scale": 2, "light": None},
        {"scale": 5, "dark": (0, 0, 0, 255), "light": (255, 255, 255, 0)},
        {"scale": 7, "border": 9},
    ],
    ids=repr,
)
def test_pictures_of_another_library_are_read_as_well(how: dict[str, Any]) -> None:
    out = io.BytesIO()
    code = segno.make_qr("2@" + "abc" * 70)
    code.save(out, kind="png", **how)
    found = picture_of("data:image/png;base64," + base64.b64encode(out.getvalue()).decode())
    assert found is not None
    assert modules_of_picture(found) == [[bool(module) for module in row] for row in code.matrix]


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_damaged_picture_is_an_error_and_nothing_else(junk: bytes, at: int, patch: bytes) -> None:
    whole = picture_of_modules(modules_of("2@x"), 2)
    for picture in (whole[:at] + patch + whole[at + len(patch) :], whole[:at], b"\x89PNG\r\n\x1a\n" + junk):
        try:
            modules_of_picture(picture)
        except ValueError as error:
            assert "QR code" in str(error)


def png(width: int, height: int, colour: int, lines: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + bytes(4)
        for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)))
    )


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (1_025, 8), (8, 1_025)])
def test_a_picture_that_would_take_long_or_unpack_to_gigabytes_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="too large"):
        modules_of_picture(png(width, height, 6, bytes(1 << 20)))


def test_a_picture_that_is_less_high_than_a_code_of_its_width_is_refused() -> None:
    first = b"\0" + b"\0" * 70 + b"\xff" * 139 + b"\0"
    lines = first + (b"\0\0" + b"\xff" * 209) * 200
    with pytest.raises(ValueError, match="not one of a QR code"):
        modules_of_picture(png(210, 201, 0, lines))


def test_a_picture_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="QR code"):
        picture_of("data:image/png;base64,\u00fc")


@pytest.mark.parametrize("text", ["2@abc,def==", "iVBOR", "https://wa.me/x", ""])
def test_a_text_is_no_picture(text: str) -> None:
    assert picture_of(text) is None


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("blocks", [True, False])
def test_a_terminal_shows_each_module_and_the_quiet_zone(colour: bool, blocks: bool) -> None:
    modules = modules_of("x")
    lines = qr_text(modules, colour=colour, blocks=blocks).split("\n")
    side = len(modules) + 8
    assert len(lines) == ((side + 1) // 2 if blocks else side)
    assert ("\x1b" in lines[0]) is colour
    if not colour:
        assert {len(line) for line in lines} == {side if blocks else 2 * side}
        assert set("".join(lines)) <= set("█▀▄ " if blocks else "# ")


@pytest.mark.parametrize(
    ("columns", "rows", "blocks", "fits"),
    [
        (33, 19, True, True),
        (32, 19, True, False),
        (33, 18, True, False),
        (80, 24, True, True),
        (80, 24, False, False),
        (66, 35, False, True),
    ],
)
def test_a_code_that_the_terminal_cuts_says_so(columns: int, rows: int, blocks: bool, fits: bool) -> None:
    modules = [[False] * 25 for _ in range(25)]
    said = why_cut(modules, columns, rows, blocks=blocks)
    assert (said == "") is fits
    assert fits or "--png FILE" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    drawn = qr_text(modules, colour=False, blocks=blocks).split("\n")
    assert fits or max(map(len, drawn)) > columns or len(drawn) + 2 > rows


def test_the_code_of_a_real_bot_does_not_fit_24_rows() -> None:
    assert why_cut(modules_of("2@" + "x" * 230), 80, 24)
    assert why_cut(modules_of("2@" + "x" * 230), 80, 40) == ""
