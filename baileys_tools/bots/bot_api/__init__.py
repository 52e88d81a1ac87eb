"""The HTTP APIs that bots are controlled by: presets as data, and one client for all of them."""

from baileys_tools.bots.bot_api.client import ApiError, BotApi, Unsupported, connections_of
from baileys_tools.bots.bot_api.endpoint import Endpoint
from baileys_tools.bots.bot_api.presets import PRESETS, Preset

__all__ = ["PRESETS", "ApiError", "BotApi", "Endpoint", "Preset", "Unsupported", "connections_of"]
