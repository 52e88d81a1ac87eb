"""Sessions in real databases, started on loopback."""
