"""Cleanups as text and JSON."""
