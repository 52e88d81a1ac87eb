"""Restores and recoveries as text and JSON."""
