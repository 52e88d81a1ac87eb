"""What a cleanup removes, why, and what it costs: pure."""
