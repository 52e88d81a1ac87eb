"""`python -m baileys_tools`."""

from baileys_tools.cli import run

run()
