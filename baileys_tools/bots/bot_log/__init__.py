"""Reads the logs of bots: what happened how often, and when. No text of a log leaves this package."""
