"""The pages of the documentation: the package has them with it, so that they can be read where there is no network."""

from __future__ import annotations

import re
from pathlib import Path


def pages_folder() -> Path:
    """Return where the pages are: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    shipped = package / "docs"
    return shipped if shipped.is_dir() else package.parent / "docs"


def page_names() -> list[str]:
    """Return the names of all pages, without `.md`; none where the package came without them."""
    return sorted(page.stem for page in pages_folder().glob("*.md"))


def page(name: str) -> str:
    """Given the name of a page, return its Markdown. Raises OSError where there is none."""
    return (pages_folder() / f"{name}.md").read_text(encoding="utf-8")


def finding_section(code: str) -> str:
    """Given a finding's code, return the section of findings.md that explains it, without its heading; "" for none."""
    parts = re.split(r"^##? (.+)$", page("findings"), flags=re.MULTILINE)
    return next(
        (
            text.strip()
            for heading, text in zip(parts[1::2], parts[2::2], strict=True)
            if heading == f"`{code}`"
        ),
        "",
    )


def runbook_row(code: str) -> tuple[str, str] | None:
    """Given a finding's code, return what the runbook says that it means and what to type, None where it has no row."""
    for line in page("runbook").splitlines():
        if line.startswith("|") and f"(findings.md#{code})" in line:
            _, means, to_type = (cell.strip() for cell in line.strip("|").split(" | "))
            return means, to_type
    return None
