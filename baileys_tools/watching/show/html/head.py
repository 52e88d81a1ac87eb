"""What every page begins with, the report as the live ones, and how data stands in them."""

from __future__ import annotations

import json
import os
from html import escape
from typing import Any

from baileys_tools import __version__

MARK = (
    b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    b'<meta name="generator" content="baileys-tools'
)
"""What every page begins with."""

FOLDER = os.path.dirname(__file__)
"""Where the files of the report are."""


def head(title: str, *elements: str, version: str = f" {__version__}") -> str:
    """Given a title as text and what is to stand before it, return the page down to the end of its head."""
    return "\n".join(
        [
            f'{MARK.decode()}{escape(version)}">',
            *elements,
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title>",
            "</head>",
        ]
    )


def as_script(document: Any) -> str:
    """Given a document, return its JSON as it may stand in a script element of a page."""
    text = json.dumps(document, separators=(",", ":"))
    # Inside a script element nothing may look like its end, or like a comment.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
