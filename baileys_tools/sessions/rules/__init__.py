"""What the files of a session mean: pure."""
