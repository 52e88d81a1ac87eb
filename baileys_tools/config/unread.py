"""Which secrets could not be read."""

from baileys_tools.config.kinds import Secret
from baileys_tools.config.load import LoadedSettings


def unread_secrets(loaded: LoadedSettings) -> list[str]:
    """Given the settings, return in words which secrets could not be read. What needs one of them fails; the rest goes
    on.
    """
    every = (
        one for value in loaded.values.values() for one in (value if isinstance(value, tuple) else (value,))
    )
    return [one.trouble for one in every if isinstance(one, Secret) and one.trouble]
