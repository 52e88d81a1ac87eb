"""The files of the page, and the few texts that go into them before they are sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache
from html import escape

import baileys_tools.page
from baileys_tools.watching.show.html.head import FOLDER, head

_WEB = os.path.join(os.path.dirname(baileys_tools.page.__file__), "web")
_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

ASSETS = {
    **dict.fromkeys(("page.css", "live.js", "fleet.js", "company.js", "actions.js"), _WEB),
    # Its words and colours, and how it draws, are the report's.
    **dict.fromkeys(("report.css", "report.js", "uPlot.iife.min.js", "uPlot.min.css"), FOLDER),
}
"""Every file that is given out, and where it is: nothing that is asked for ever becomes a path."""


@cache
def asset(name: str) -> tuple[bytes, str, str] | None:
    """Return a file's content, its kind and its tag; None for anything but the files of the page."""
    if name not in ASSETS:
        return None
    with open(os.path.join(ASSETS[name], name), "rb") as file:
        content = file.read()
    kind = _KINDS[os.path.splitext(name)[1]]
    return content, kind, f'"{hashlib.sha256(content).hexdigest()[:20]}"'


@cache
def _template(name: str) -> str:
    with open(os.path.join(_WEB, name), encoding="utf-8") as file:
        return file.read()


_STYLES = tuple(
    f'<link rel="stylesheet" href="/web/{name}">' for name in ("uPlot.min.css", "report.css", "page.css")
)
_MORE = {"entered.html": ('<meta http-equiv="refresh" content="0;url=/">',)}


def page(name: str, texts: Mapping[str, str], data: Mapping[str, str]) -> str:
    """Given a page's file, return it with its head, `{{name}}` for each text, escaped, and each of `data` in its script
    element.

    `texts` has the title, and the version where whoever asks may know it. `data` has to be safe in a script element:
    `as_script`.
    """
    version = f" {texts['version']}" if "version" in texts else ""
    ready = {**data, "head": head(texts["title"], *_STYLES, *_MORE.get(name, ()), version=version)}
    parts = _template(name).split("{{")
    out = [parts[0]]
    for part in parts[1:]:
        word, _, rest = part.partition("}}")
        out += [ready[word] if word in ready else escape(texts[word]), rest]
    return "".join(out)
