"""Findings as text, JSON, metrics and a page."""
