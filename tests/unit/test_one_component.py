"""Below a directory handle every name is one component: in a path of two, a link in place of the first is followed.

Whoever owns a folder can put such a link there between a look and the call (`rename(".baileys-tools/quarantine")`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import the_house

pytestmark = pytest.mark.xdist_group("trees of the package")

PACKAGE = Path(__file__).parents[2] / "baileys_tools"
HANDLES = {"dir_fd", "src_dir_fd", "dst_dir_fd"}


def two_part_paths(tree: ast.AST) -> Iterator[int]:
    """Yield the line of each call that is given a directory handle and a text with a slash in it.

    A text is followed to where it is given a name in the same function, as `path = f"{OWN_FOLDER}/{name}"` is.
    """
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Module)]:
        given: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        given.setdefault(target.id, []).append(node.value)
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not HANDLES & {keyword.arg for keyword in node.keywords}:
                continue
            if any(_has_slash(argument, given) for argument in node.args):
                yield node.lineno


def _has_slash(node: ast.expr, given: dict[str, list[ast.expr]]) -> bool:
    if isinstance(node, ast.Name):
        return any(_has_slash(value, {}) for value in given.get(node.id, ()))
    return any(_joins(part) for part in ast.walk(node))


def _joins(part: ast.AST) -> bool:
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        # No link can stand in place of the folder above.
        return "/" in part.value.replace("/..", "")
    return isinstance(part, ast.Attribute) and ast.unparse(part) == "os.path.join"


@pytest.mark.parametrize(
    "offence",
    [
        'os.rename(f"{OWN}/{name}", name, src_dir_fd=one, dst_dir_fd=other)',
        'path = f"{OWN}/{name}"\n    os.rename(path, path, src_dir_fd=one, dst_dir_fd=other)',
        'os.stat("a/b", dir_fd=one)',
        'os.open(name + "/" + other, os.O_RDONLY, dir_fd=one)',
        "os.open(os.path.join(OWN, name), os.O_RDONLY, dir_fd=one)",
    ],
)
def test_a_path_of_two_parts_is_seen(offence: str) -> None:
    assert list(two_part_paths(ast.parse(f"def work():\n    {offence}")))


def test_no_call_with_a_directory_handle_is_given_a_path_of_two_parts() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}:{line}"
        for path, tree in the_house().parsed()
        for line in two_part_paths(tree)
    }
    assert not found
