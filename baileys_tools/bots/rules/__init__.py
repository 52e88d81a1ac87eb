"""What a bot's words mean: pure."""
