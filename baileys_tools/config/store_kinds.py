"""A root of `sessions.roots` that is a store: its address, how its records are laid out, and where its secret is."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from baileys_tools.config.kinds import Absolute, _read_path, _text
from baileys_tools.layouts import RootSpec, StoreSpec
from baileys_tools.stores.rules.mapping import (
    OPTIONS,
    REDIS_SCHEMES,
    SQL_SCHEMES,
    mapping_of,
    scheme_of,
)
from baileys_tools.units import did_you_mean, is_one_line, quoted

_OWN = ("store", "preset", "name", "password_file", "url_file", "url_env")
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
    sources = [key for key in ("store", "url_file", "url_env") if key in given]
    if len(sources) > 1 and sources != ["store", "url_file"] and sources != ["store", "url_env"]:
        raise ValueError("url_file and url_env: give one of them")
    if "store" not in given:
        raise ValueError(
            "store is missing: the address without its password, for example postgres://bot@localhost/bots"
        )
    spec = StoreSpec(
        _address(given["store"], absolute),
        given.get("preset", ""),
        tuple(sorted((key, given[key]) for key in given.keys() - set(_OWN))),
        _read_path(given["password_file"], absolute) if "password_file" in given else "",
        _read_path(given["url_file"], absolute) if "url_file" in given else "",
        given.get("url_env", ""),
    )
    mapping_of(spec)
    return RootSpec("", name=_name(given.get("name", "")), store=spec)


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
        "password_file": spec.password_file,
        "url_file": spec.url_file,
        "url_env": spec.url_env,
        **dict(spec.options),
    }
    return {key: value for key, value in given.items() if value}


def place_in(state: str, spec: StoreSpec) -> str:
    """Given the state folder, return where what is kept of a store stands: by its address and its layout."""
    import hashlib

    plain = repr((spec.address, mapping_of(spec)._replace(source="")))
    return os.path.join(state, "stores", hashlib.sha256(plain.encode()).hexdigest()[:16])
