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
def mixed_url(redis_url: str, postgres_url: str) -> str:
    """A store of keys and one of creds, in a database of its own: another program has a "Session", too."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("CREATE DATABASE evolution")
    return f"{redis_url} {postgres_url.rpartition('/')[0]}/evolution"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url
