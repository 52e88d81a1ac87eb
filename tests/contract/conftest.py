"""What the real client measured is asked by many tests: each life is lived once in a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.contract.cleaned_lives import LIVES, Lived


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lived]:
    """A function from the name of a life (cleaned_lives.py) to what was measured."""
    return cache(lambda name: LIVES[name].told(tmp_path_factory.mktemp(name)))
