"""Keeps the session folders of WhatsApp bots built on Baileys alive."""

__version__ = "0.1.0"
