"""What a machine's jobs should be and how they are: pure."""
