"""Alerts as text."""
