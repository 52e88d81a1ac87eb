"""One request of an API as data, and how its templates are filled in."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote


class Endpoint(NamedTuple):
    """A request, and JMESPath expressions for what its answer says ("": it does not).

    `path` begins with / and may hold `{company}` and `{number}`; the texts of `body` those and `{message}`.
    """

    method: str
    path: str
    body: Any = None
    connected: str = ""
    connecting: str = ""
    disconnected: str = ""
    has_qr: str = ""
    user: str = ""
    code: str = ""
    ok: str = ""

    def path_for(self, values: Mapping[str, str]) -> str:
        """Return the path, each value as one component of it, whatever it holds."""
        path = self.path
        for name, value in values.items():
            # `quote` leaves dots alone, and a component of one or two of them would climb. A folder's name can be
            # bytes that are no UTF-8; they go as they are.
            component = (
                quote(value, safe="", errors="surrogateescape")
                if value.strip(".")
                else value.replace(".", "%2E")
            )
            path = path.replace(f"{{{name}}}", component)
        return path

    def body_for(self, values: Mapping[str, str]) -> Any:
        """Return the body with the values in it, None where there is none."""
        return _filled(self.body, values)


def _filled(template: Any, values: Mapping[str, str]) -> Any:
    if isinstance(template, str):
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", value)
        return template
    if isinstance(template, Mapping):
        return {key: _filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(value, values) for value in template]
    return template
