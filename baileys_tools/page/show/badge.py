"""How one company is, as a small picture for another page."""

from __future__ import annotations

from html import escape

COLOURS = {
    "healthy": "#15803d",
    "warning": "#92400e",
    "critical": "#9a3412",
    "emergency": "#991b1b",
    "unreadable": "#7f1d1d",
    "gone": "#7f1d1d",
}
UNKNOWN = "#475569"
_WIDTH = 7
"""Pixels of a character, about: the picture has its own length for each text, so that no font overflows."""


def badge_svg(name: str, state: str) -> str:
    """Given a company's name and its state, return the badge."""
    name = name if len(name) <= 40 else name[:39] + "\u2026"
    left, right = _WIDTH * len(name) + 14, _WIDTH * len(state) + 14
    colour = COLOURS.get(state, UNKNOWN)
    title = escape(f"{name}: {state}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f'<title>{title}</title><rect width="{left}" height="20" fill="#374151"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        f'<g fill="#ffffff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{escape(name)}</text>'
        f'<text x="{left + right / 2}" y="14">{escape(state)}</text></g></svg>\n'
    )
