"""How every command writes to a terminal and as JSON."""
