"""Settings: flags > environment > YAML > defaults, and where each value came from."""

from baileys_tools.config.kinds import Secret, UnreadSecret, valid_company_id
from baileys_tools.config.load import (
    ConfigError,
    LoadedSettings,
    load_settings,
    require_backup_path,
    require_sessions_path,
)
from baileys_tools.config.schema import (
    Backup,
    Cleanup,
    Copies,
    Emergency,
    Health,
    Monitor,
    Notify,
    Ping,
    PreKeys,
    Sessions,
    Settings,
    StateSettings,
    ThresholdSettings,
    Trigger,
)

__all__ = [
    "Backup",
    "Cleanup",
    "ConfigError",
    "Copies",
    "Emergency",
    "Health",
    "LoadedSettings",
    "Monitor",
    "Notify",
    "Ping",
    "PreKeys",
    "Secret",
    "Sessions",
    "Settings",
    "StateSettings",
    "ThresholdSettings",
    "Trigger",
    "UnreadSecret",
    "load_settings",
    "require_backup_path",
    "require_sessions_path",
    "valid_company_id",
]
