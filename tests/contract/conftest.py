"""Tests of one life share what was measured, so they run in one process."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        life = getattr(item, "callspec", None) and item.callspec.params.get("life")  # type: ignore[attr-defined]
        if life:
            item.add_marker(pytest.mark.xdist_group(f"life {life}"))
