"""Rewrites the assertions of the tests once, before the workers come: each would do it for itself, ten seconds long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

FEW = 20
"""So many files a single worker rewrites as fast."""


def rewrite_once(config: pytest.Config) -> None:
    """Lay what pytest makes of the test files that are asked for where its workers look for it."""
    waiting = [path for path in _asked_for(config) if rewrite._read_pyc(path, _place_of(path)) is None]
    if len(waiting) < FEW:
        return
    state, several = config.stash[rewrite.assertstate_key], os.cpu_count() or 1
    children = []
    for number in range(several):
        child = os.fork()
        if child == 0:
            try:
                for path in waiting[number::several]:
                    status, code = rewrite._rewrite_test(path, config)
                    rewrite.try_makedirs(_place_of(path).parent)
                    rewrite._write_pyc(state, code, status, _place_of(path))
            finally:
                os._exit(0)  # what went wrong here is told by the worker whose turn it is
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def _asked_for(config: pytest.Config) -> list[Path]:
    found = [Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args]
    files = (path.rglob("test_*.py") if path.is_dir() else [path] for path in found)
    return sorted({path.resolve() for several in files for path in several if path.exists()})


def _place_of(path: Path) -> Path:
    return rewrite.get_cache_dir(path) / (path.name[:-3] + rewrite.PYC_TAIL)
