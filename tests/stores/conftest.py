"""One server of each kind for all tests of a worker; `xdist_group` has them on one worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores.servers import postgres, redis_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url
