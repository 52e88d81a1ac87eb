"""Keeps session folders tidy: cleanup, trigger, undo."""
