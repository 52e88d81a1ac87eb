"""A root of `sessions.roots` that is a store: its address, how its records are laid out, and where its secret is."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from baileys_tools.config.kinds import Absolute, _read_path, _text
from baileys_tools.layouts import CredsSpec, RootSpec, StoreSpec
from baileys_tools.stores.rules.mapping import (
    OPTIONS,
    REDIS_SCHEMES,
    SQL_SCHEMES,
    mapping_of,
    scheme_of,
)
from baileys_tools.units import did_you_mean, is_one_line, quoted

_SECRETS = ("password_file", "url_file", "url_env")
_OF_CREDS = ("creds_store", *(f"creds_{one}" for one in _SECRETS))
_OWN = ("store", "preset", "name", *_SECRETS, *_OF_CREDS)
_KEYS = (*_OWN, *OPTIONS)
_SECRET_PARTS = frozenset({"password", "passfile", "sslpassword", "sslkey"})


def read_store(item: Mapping[Any, Any], absolute: Absolute) -> RootSpec:
    """Given a root with `store`, return it. Raise ValueError, in words without any secret."""
    for key in item:
        if key not in _KEYS:
            raise ValueError(
                f"invalid key {quoted(str(key))} of a store: it has to be one of {', '.join(_KEYS)}"
                f"{did_you_mean(str(key), _KEYS)}"
            )
    given = {key: _text(value, key) for key, value in item.items() if value is not None}
    for before in ("", "creds_"):
        if given.keys() >= {f"{before}url_file", f"{before}url_env"}:
            raise ValueError("url_file and url_env: give one of them")
    if "store" not in given:
        raise ValueError(
            "store is missing: the address without its password, for example postgres://bot@localhost/bots"
        )
    spec = StoreSpec(
        _address(given["store"], absolute),
        given.get("preset", ""),
        tuple(sorted((key, given[key]) for key in given.keys() - set(_OWN))),
        *_secrets(given, "", absolute),
        _creds(given, absolute),
    )
    mapping_of(spec)
    return RootSpec("", name=_name(given.get("name", "")), store=spec)


def _secrets(given: Mapping[str, str], before: str, absolute: Absolute) -> tuple[str, str, str]:
    password, url = (
        _read_path(given[before + key], absolute) if before + key in given else "" for key in _SECRETS[:2]
    )
    return password, url, given.get(f"{before}url_env", "")


def _creds(given: Mapping[str, str], absolute: Absolute) -> CredsSpec | None:
    """Return the store of the creds, where the settings name one of their own."""
    if "creds_store" not in given:
        if strange := given.keys() & {*_OF_CREDS}:
            raise ValueError(f"{min(strange)} goes with creds_store")
        return None
    if scheme_of(given["creds_store"]) not in SQL_SCHEMES[:2]:
        raise ValueError("creds_store: the address of a Postgres, postgres://...")
    return CredsSpec(_address(given["creds_store"], absolute), *_secrets(given, "creds_", absolute))


def _address(text: str, absolute: Absolute) -> str:
    scheme = scheme_of(text)
    known = (*SQL_SCHEMES, *REDIS_SCHEMES)
    if scheme not in known:
        raise ValueError(
            f"store: an address begins with one of {', '.join(f'{one}://' for one in known)}"
            f"{did_you_mean(scheme, known)}"
        )
    if scheme == "sqlite":
        path = text.partition("://")[2]
        if not path.strip("/"):
            raise ValueError(
                "store: sqlite:// needs the path of the file, for example sqlite:///srv/bot/auth.db"
            )
        return f"sqlite://{absolute(path)}"
    try:
        parts = urlsplit(text)
        is_secret = parts.password is not None or any(
            name.lower() in _SECRET_PARTS for name, _ in parse_qsl(parts.query)
        )
        _ = parts.port
    except ValueError:
        raise ValueError("store: the address cannot be read") from None
    if is_secret:
        # The text itself may be the secret, so it is not repeated.
        raise ValueError(
            "store: the address has a secret in it; put that into a file (password_file), or have the whole address "
            "read from one (url_file) or from the environment (url_env)"
        )
    return text


def _name(name: str) -> str:
    if name and ("/" in name or not name.strip() or not is_one_line(name)):
        raise ValueError(f"name: {quoted(name)} cannot be the name of a company; for example {{1}}")
    return name


def plain_store(spec: StoreSpec, name: str) -> dict[str, Any]:
    """Return a root of a store as a settings file has it."""
    given = {
        "store": spec.address,
        "preset": spec.preset,
        "name": name,
        **{key: getattr(spec, key) for key in _SECRETS},
        **dict(spec.options),
    }
    if spec.creds is not None:
        given |= {"creds_store": spec.creds.address}
        given |= {f"creds_{key}": getattr(spec.creds, key) for key in _SECRETS}
    return {key: value for key, value in given.items() if value}


def place_in(state: str, spec: StoreSpec) -> str:
    """Given the state folder, return where what is kept of a store stands: by its address and its layout."""
    import hashlib

    # What a newer version knows beside, and how values are written, makes no other place.
    written = ("source", "codec", "ids")
    layout = [
        (key, value) for key, value in mapping_of(spec)._asdict().items() if value and key not in written
    ]
    plain = repr((spec.address, layout, spec.creds.address if spec.creds is not None else ""))
    return os.path.join(state, "stores", hashlib.sha256(plain.encode()).hexdigest()[:16])
