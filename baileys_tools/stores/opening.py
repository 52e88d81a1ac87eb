"""Opens a store of the settings: its secret is read here, and its driver loaded."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from baileys_tools.layouts import CredsSpec, StoreSpec
from baileys_tools.masking import remember_secret
from baileys_tools.stores.cells import Store, StoreTrouble
from baileys_tools.stores.rules.mapping import (
    REDIS_SCHEMES,
    RedisMap,
    SqlMap,
    creds_map,
    mapping_of,
    scheme_of,
)
from baileys_tools.trust import NotTrusted, read_trusted
from baileys_tools.units import quoted

_LARGEST_SECRET = 65_536


def open_store(spec: StoreSpec) -> Store:
    """Given a store of the settings, return it open. Raises StoreTrouble; BaileysToolsError for a missing driver."""
    mapped = mapping_of(spec)
    if spec.creds is not None:
        from baileys_tools.stores.mixed import MixedStore

        assert isinstance(mapped, RedisMap)
        # A field called creds is what the program has left of another setting of it.
        keys = _opened(spec, mapped._replace(creds=""))
        try:
            return MixedStore(keys, _opened(spec.creds, creds_map(mapped)))
        except StoreTrouble:
            keys.close()
            raise
    return _opened(spec, mapped)


def _opened(spec: StoreSpec | CredsSpec, mapped: SqlMap | RedisMap) -> Store:
    url = _url(spec)
    password = _read(spec.password_file) if spec.password_file else None
    scheme = scheme_of(spec.address)
    if scheme == "sqlite":
        from baileys_tools.stores.sqlite import SqliteStore

        assert isinstance(mapped, SqlMap)
        return SqliteStore(spec.address, mapped)
    if scheme in REDIS_SCHEMES:
        from baileys_tools.stores.redis_keys import RedisStore

        assert isinstance(mapped, RedisMap)
        return RedisStore(url, spec.address, password, mapped)
    from baileys_tools.stores.postgres import PostgresStore

    assert isinstance(mapped, SqlMap)
    return PostgresStore(url, spec.address, password, mapped)


def _url(spec: StoreSpec | CredsSpec) -> str:
    """Return the address to connect to: with its password, where it comes from a file or the environment."""
    if spec.url_file:
        url, source = _read(spec.url_file), spec.url_file
    elif spec.url_env:
        url, source = os.environ.get(spec.url_env, ""), f"the variable {spec.url_env}"
        remember_secret(url)
        if not url:
            raise StoreTrouble(f"{source} is not set: export it, or give url_file")
    else:
        return spec.address
    try:
        parts = urlsplit(url)
        if parts.password:
            remember_secret(parts.password)
    except ValueError:
        raise StoreTrouble(f"{source}: no address of a store") from None
    if scheme_of(url).removesuffix("ql") != scheme_of(spec.address).removesuffix("ql"):
        raise StoreTrouble(
            f"{source}: an address of {quoted(scheme_of(url))}, and store: says {spec.address}"
        )
    return url


def _read(path: str) -> str:
    try:
        text = read_trusted(path, _LARGEST_SECRET).decode().strip()
    except NotTrusted as error:
        raise StoreTrouble(f"{path}: not obeyed: {error.strerror}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreTrouble(f"{path}: {getattr(error, 'strerror', None) or 'no text'}") from None
    if not text:
        raise StoreTrouble(f"{path}: empty, and it has to hold a secret")
    remember_secret(text)
    return text
