"""What a setting and a section of settings are; schema.py declares them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from baileys_tools.config.kinds import TEXTS, ValueKind, in_file

T = TypeVar("T")

OF_COMPANY = "companies."
"""Begins the path of a value that a single company has: `companies.<id>.<section>.<key>`."""
OF_TEMPLATE = "templates."
"""The same of a template."""
USE = "use"
"""The key that names the templates of a company: `companies.<id>.use`."""


class Setting:
    """One setting: its rules, and on an instance of its section the way to its value.

    `env` are the variables that give it, the strongest first; `target` is the path whose value it gives, its
    own but for `x_file`, which gives the secret `x`.
    """

    __slots__ = (
        "about",
        "at_least",
        "default",
        "default_text",
        "env",
        "flag",
        "for_all",
        "key",
        "kind",
        "path",
        "target",
    )

    def __init__(
        self,
        default: Any,
        kind: ValueKind,
        about: str,
        flag: str = "",
        env: tuple[str, ...] = (),
        at_least: Any = None,
        default_text: str = "",
        for_all: bool = False,
    ) -> None:
        self.for_all = for_all
        self.default = default
        self.kind = kind
        self.about = about
        self.flag = flag
        self.env = env
        self.at_least = at_least
        self.default_text = default_text
        self.key = self.path = self.target = ""

    def again(self, default: Any) -> Setting:
        """Return the same setting for another section, with a default of its own."""
        rest = ("kind", "about", "flag", "env", "at_least", "default_text", "for_all")
        return Setting(default, *(getattr(self, part) for part in rest))

    def named(self, section: str, key: str, target: str = "") -> Setting:
        """Give the setting its place: done once, when its section is defined."""
        self.key = key
        self.path = f"{section}.{key}"
        self.target = target or self.path
        self.env = (f"BAILEYS_TOOLS_{section}__{key}".upper(), *self.env)
        return self

    def __get__(self, section: Section | None, owner: type[Section]) -> Any:
        return self if section is None else section._values[self.key]

    def __set__(self, section: Section, value: object) -> None:
        raise AttributeError(f"{self.path} is read-only")

    def show(self, value: Any) -> str:
        """Given a value of this setting, return it as it could be written in the settings file."""
        return self.kind.none if value is None else self.kind.show(value)

    def flag_for(self, value: Any) -> str:
        """Given a value that a flag gave, return the flag as it was typed."""
        on, _, off = self.flag.partition("/")
        return off if off and value is False else on or self.path


def setting(
    *,
    default: T,
    kind: ValueKind,
    about: str,
    flag: str = "",
    env: tuple[str, ...] = (),
    at_least: T | None = None,
    default_text: str = "",
    for_all: bool = False,
) -> T:
    """Declare one setting of a section.

    `flag` is the option that gives it ("--on/--no-on" for a switch), `env` are variables besides
    BAILEYS_TOOLS_<SECTION>__<KEY>, `at_least` is the floor, `default_text` says a default that depends on the
    host, `for_all` that no company has one of its own. Typed as its value, which is what an instance of the section
    has.
    """
    declared: Any = Setting(default, kind, about, flag, env, at_least, default_text, for_all)
    return declared  # type: ignore[no-any-return]


class _Slotted(type):
    """Makes classes whose instances have no attributes but those declared."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], /, **options: Any) -> Any:
        return super().__new__(cls, name, bases, {"__slots__": (), **body}, **options)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting,))
class Section(metaclass=_Slotted):
    """A section of the settings: frozen, made by keyword, with defaults. Its docstring is its description.

    One without a name is what several have in common: they have its settings behind their own, with the `defaults`
    that each gives.

    Not a dataclass: twelve of those would take 7 ms of every start, and cron starts us every minute.
    """

    __slots__ = ("_values",)
    section_name: ClassVar[str]
    list_key: ClassVar[str]
    """The setting that is meant where the settings file has a list in the place of this section, "" for none."""
    declared: ClassVar[dict[str, Setting]]

    def __init_subclass__(
        cls, name: str = "", list_key: str = "", defaults: Mapping[str, Any] | None = None
    ) -> None:
        cls.section_name = name
        cls.list_key = list_key
        cls.declared = {key: found for key, found in vars(cls).items() if isinstance(found, Setting)}
        if not name:
            return
        for key, found in getattr(cls.__base__, "declared", {}).items():
            cls.declared[key] = found.again((defaults or {}).get(key, found.default))
            setattr(cls, key, cls.declared[key])
        for key, found in cls.declared.items():
            found.named(name, key)

    def __init__(self, **values: Any) -> None:
        if unknown := values.keys() - self.declared.keys():
            raise TypeError(f"{self.section_name} has no setting {', '.join(sorted(unknown))}")
        self._values = {key: found.default for key, found in self.declared.items()} | values

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return the section with these values in the place of its own."""
        return type(self)(**{**self._values, **values})

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Section) and other._values == self._values

    def __hash__(self) -> int:
        return hash((self.section_name, *self._values.values()))

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={value!r}" for key, value in self._values.items())
        return f"{type(self).__name__}({values})"


class Schema:
    """The sections by name, all their settings by dotted path, and which sections a company may have of its own."""

    __slots__ = ("per_company", "sections", "settings", "use")

    def __init__(self, *sections: type[Section], per_company: tuple[str, ...] = ()) -> None:
        self.per_company = per_company
        self.use = Setting((), TEXTS, "The templates whose values it has.").named("companies", USE)
        self.sections = {section.section_name: section for section in sections}
        self.settings = {found.path: found for section in sections for found in _settings_of(section)}

    def setting(self, path: str) -> Setting:
        """Given the path of a value, return its setting; `companies.<id>.<section>.<key>` is that of the section."""
        if path.startswith(OF_COMPANY) and path.endswith(f".{USE}"):
            return self.use
        if path.startswith((OF_COMPANY, OF_TEMPLATE)):
            path = ".".join(path.rsplit(".", 2)[1:])
        return self.settings[path]


def _settings_of(section: type[Section]) -> Iterator[Setting]:
    for found in section.declared.values():
        yield found
        if found.kind.is_secret:
            # What containers mount: TELEGRAM_BOT_TOKEN_FILE=/run/secrets/telegram
            env = tuple(f"{name}_FILE" for name in found.env[1:])
            about = f"A file that holds `{found.path}`."
            companion = Setting(
                None, in_file(found.kind), about, env=env, default_text="none", for_all=found.for_all
            )
            yield companion.named(section.section_name, f"{found.key}_file", found.path)
