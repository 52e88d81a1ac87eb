"""The kind of value that `sessions.roots` has: where session folders are, and how they are laid out there."""

from typing import Any

from baileys_tools.config.kinds import Absolute, ValueKind, _read_boolean, _read_path, _text
from baileys_tools.layouts import LAYOUTS, MOST_PATTERNS, RootSpec, valid_pattern
from baileys_tools.units import did_you_mean, is_one_line, quoted

_KEYS = ("path", "folders", "name", "layout", "follow_links")


def _read_roots(raw: object, absolute: Absolute) -> tuple[RootSpec, ...]:
    if isinstance(raw, str) and raw.lstrip().startswith("["):
        raw = _json(raw)
    items = raw if isinstance(raw, list | tuple) and not isinstance(raw, RootSpec) else [raw]
    roots = tuple(dict.fromkeys(_read_root(item, absolute) for item in items))
    if not roots:
        raise ValueError("the list is empty")
    return roots


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is neither a path nor JSON") from None


def _read_root(item: object, absolute: Absolute) -> RootSpec:
    if isinstance(item, RootSpec):
        return item
    if isinstance(item, str) and item.lstrip().startswith("{"):
        item = _json(item)
    if not isinstance(item, dict):
        return RootSpec(_read_path(item, absolute))
    if "store" in item or "url_file" in item or "url_env" in item:
        from baileys_tools.config.store_kinds import read_store

        return read_store(item, absolute)
    for key in item:
        if key not in _KEYS:
            raise ValueError(
                f"invalid key {quoted(str(key))}: it has to be one of {', '.join(_KEYS)}{did_you_mean(str(key), _KEYS)}"
            )
    if item.get("path") is None:
        raise ValueError("a root without a path")
    path = _read_path(item["path"], absolute)
    folders, layout, name = item.get("folders"), item.get("layout"), item.get("name")
    follows = item.get("follow_links")
    return RootSpec(
        path,
        () if folders is None else _read_patterns(folders),
        "" if name is None else _read_name(name),
        False if follows is None else _read_boolean(follows, absolute),
        "" if layout is None else _read_layout(layout),
    )


def _read_patterns(raw: object) -> tuple[str, ...]:
    items = raw if isinstance(raw, list | tuple) else [raw]
    if len(items) > MOST_PATTERNS:
        raise ValueError(f"{len(items)} patterns in folders, and {MOST_PATTERNS} are the most")
    texts = [_text(item, "a pattern of folders") for item in items]
    if not all(text.strip() for text in texts):
        raise ValueError("a pattern in folders is empty")
    return tuple(dict.fromkeys(map(valid_pattern, texts)))


def _read_name(raw: object) -> str:
    name = _text(raw, "a name")
    if "/" in name or not name.strip() or not is_one_line(name):
        raise ValueError(f"name: {quoted(name)} cannot be the name of a company; for example {{1}}")
    return name


def _read_layout(raw: object) -> str:
    layout = _text(raw, "a layout")
    if layout not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise ValueError(
            f"invalid layout {quoted(layout)}: it has to be one of {known}{did_you_mean(layout, LAYOUTS)}"
        )
    return layout


def plain_root(root: RootSpec) -> str | dict[str, Any]:
    """Return a root as a settings file has it."""
    if root.store is not None:
        from baileys_tools.config.store_kinds import plain_store

        return plain_store(root.store, root.name)
    given: dict[str, Any] = {
        "path": root.path,
        "folders": list(root.folders),
        "name": root.name,
        "layout": root.layout,
        "follow_links": root.follow_links,
    }
    given = {key: value for key, value in given.items() if value}
    return root.path if len(given) == 1 else given


def _show_roots(roots: tuple[RootSpec, ...]) -> str:
    import json

    return json.dumps([plain_root(root) for root in roots], ensure_ascii=False)


ROOTS = ValueKind(_read_roots, _show_roots)


def with_places(roots: tuple[RootSpec, ...], state: str) -> tuple[RootSpec, ...]:
    """Given the roots and the state folder, return them with where what is kept of each store stands."""
    if not any(root.store for root in roots):
        return roots
    from baileys_tools.config.store_kinds import place_in

    return tuple(root._replace(path=place_in(state, root.store)) if root.store else root for root in roots)
