"""What is found in a session and its surroundings: pure."""
