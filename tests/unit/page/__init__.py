"""The rules of the page."""
