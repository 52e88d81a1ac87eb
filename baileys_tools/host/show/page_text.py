"""A page of Markdown as text for a terminal: nothing that is to be pasted is parted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped


def page_text(markdown: str, style: Style) -> str:
    """Given a page, return it in lines of 80 columns. Code stands as it is, a table as one paragraph a row."""
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(markdown))
    blocks = ["\n".join(lines) for node in tree.children if (lines := list(_block(node, style, "")))]
    return "\n\n".join(blocks) + "\n"


def plain(markdown: str) -> str:
    """Given a line of Markdown, return its words."""
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

    tree = SyntaxTreeNode(MarkdownIt("commonmark").parse(markdown))
    return " ".join(_words(node) for node in tree.walk() if node.type == "inline")


def _block(node: Any, style: Style, indent: str) -> Iterator[str]:
    if node.type == "heading":
        yield style.paint(_words(node.children[0]), "bold")
    elif node.type == "paragraph":
        yield from wrapped(_words(node.children[0]), WIDTH, indent)
    elif node.type in ("code_block", "fence"):
        yield from (f"{indent}    {line}".rstrip() for line in node.content.rstrip("\n").split("\n"))
    elif node.type in ("bullet_list", "ordered_list"):
        for number, item in enumerate(node.children, 1):
            mark = "- " if node.type == "bullet_list" else f"{number}. "
            first, *more = [
                line for part in item.children for line in _block(part, style, indent + " " * len(mark))
            ]
            yield indent + mark + first[len(indent) + len(mark) :]
            yield from more
    elif node.type == "table":
        yield from _table(node)
    elif node.type == "blockquote":
        for part in node.children:
            yield from _block(part, style, indent + "  ")


def _table(node: Any) -> Iterator[str]:
    rows = [
        [_words(cell.children[0]) for cell in row.children] for part in node.children for row in part.children
    ]
    head, *body = rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= WIDTH:
        yield from ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows if any(row))
        return
    for row in body:
        yield from wrapped(row[0], WIDTH)
        for name, cell in zip(head[1:], row[1:], strict=True):
            yield from wrapped(f"{name}: {cell}" if name else cell, WIDTH, "    ", "      ")


def _words(node: Any) -> str:
    """Return the text of an inline node; of a link its words, and its address where it leads out of the pages."""
    return "".join(_pieces(node.children or [node]))


def _pieces(nodes: Sequence[Any]) -> Iterator[str]:
    for node in nodes:
        if node.type in ("text", "code_inline"):
            yield node.content
        elif node.type in ("softbreak", "hardbreak"):
            yield " "
        elif node.type == "image":
            yield f"[{node.content}]"
        elif node.children:
            yield from _pieces(node.children)
            address = str(node.attrs.get("href", ""))
            if "://" in address:
                yield f" ({address})"
