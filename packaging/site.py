"""What `mkdocs` is told about this repository (mkdocs.yml): pages and files beside docs/ that the pages link to.

In the repository a page of docs/ says `../CONTRIBUTING.md`, and a reader there follows that. In the site all pages
stand in one folder, so the two dots go, and what is linked comes along.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "README.md")
LINK = re.compile(r"(\]\()(\.\./)?([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages beside docs/, and every file of the repository that a page links to."""
    texts = {name: (ROOT / name).read_text("utf-8") for name in PAGES}
    texts |= {
        one.src_uri: (ROOT / "docs" / one.src_uri).read_text("utf-8") for one in files.documentation_pages()
    }
    for name in PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for name, text in texts.items():
        for _, up, target, _ in LINK.findall(text):
            path = target.removeprefix("docs/") if name in PAGES else target
            stands = ROOT / target if up or name in PAGES else ROOT / "docs" / target
            if stands.is_file() and files.get_file_from_path(path) is None and path not in PAGES:
                files.append(File.generated(config, path, abs_src_path=str(stands)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Return a page with its links as they are in the site."""
    if page.file.src_uri in PAGES:
        return LINK.sub(lambda link: link[1] + link[3].removeprefix("docs/") + link[4], markdown)
    return LINK.sub(lambda link: link[1] + link[3] + link[4] if link[2] else link[0], markdown)
