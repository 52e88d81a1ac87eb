"""Brings a session back: restore, recover, reset."""
