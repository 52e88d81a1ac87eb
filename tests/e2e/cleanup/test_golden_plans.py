"""The plan of every fixture is the one that was looked at and committed."""

from __future__ import annotations

import pytest

from fixtures.golden import difference
from fixtures.lay import names


@pytest.mark.parametrize("name", names())
def test_a_dry_run_of_the_fixture_equals_its_golden_plan(name: str) -> None:
    assert difference(name) == ""
