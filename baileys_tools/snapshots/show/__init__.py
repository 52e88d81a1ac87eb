"""Backups as text and JSON."""
