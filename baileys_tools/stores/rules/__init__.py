"""Pure: how stores lay their records out, and how each writes a value."""
