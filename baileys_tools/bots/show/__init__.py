"""What bots said, as text and JSON."""
