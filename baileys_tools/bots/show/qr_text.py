"""A QR code on a terminal, dark on light as scanners want it."""

from __future__ import annotations

from baileys_tools.bots.rules.qr import QUIET_ZONE, Modules

_BLACK_ON_WHITE = "\x1b[38;5;16m\x1b[48;5;231m"
_RESET = "\x1b[0m"


def qr_text(modules: Modules, *, colour: bool, blocks: bool = True) -> str:
    """Given modules, return lines for a terminal, two rows of modules in one line.

    With `colour` the code is black on white whatever the terminal's colours are; without, light modules are what
    is drawn, which fits a dark terminal. Without `blocks` (no Unicode) a module is two characters in a line of
    its own.
    """
    side = len(modules) + 2 * QUIET_ZONE
    empty = [False] * side
    rows = [[False] * QUIET_ZONE + list(row) + [False] * QUIET_ZONE for row in modules]
    rows = [*[empty] * QUIET_ZONE, *rows, *[empty] * QUIET_ZONE]
    if not blocks:
        return "\n".join("".join(_wide(dark, colour=colour) for dark in row) for row in rows)
    if len(rows) % 2:
        rows.append(empty)
    shown = [
        "".join(_half(a is colour, b is colour) for a, b in zip(*pair, strict=True)) for pair in _pairs(rows)
    ]
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_RESET}" if colour else line for line in shown)


def why_cut(modules: Modules, columns: int, rows: int, *, blocks: bool = True) -> str:
    """Given modules and the size of a terminal, return what to do where the code does not fit there; "" where it does.

    Two rows stay for what is said below it and for the prompt.
    """
    side = len(modules) + 2 * QUIET_ZONE
    wide, high = (side, (side + 1) // 2 + 2) if blocks else (2 * side, side + 2)
    if wide <= columns and high <= rows:
        return ""
    return (
        f"It needs {wide} columns and {high} rows, and this terminal has {columns} and {rows}:\n"
        "make it larger or its letters smaller, or write a picture: --png FILE"
    )


def _pairs(rows: list[list[bool]]) -> list[tuple[list[bool], list[bool]]]:
    return list(zip(rows[::2], rows[1::2], strict=True))


def _half(upper: bool, lower: bool) -> str:
    if upper:
        return "█" if lower else "▀"
    return "▄" if lower else " "


def _wide(dark: bool, *, colour: bool) -> str:
    if colour:
        return f"\x1b[48;5;{16 if dark else 231}m  {_RESET}"
    return "  " if dark else "##"
