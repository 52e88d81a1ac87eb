"""What comes back, by which step, and at what cost: pure."""
