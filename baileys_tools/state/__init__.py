"""What this tool remembers between runs, in one SQLite file."""
