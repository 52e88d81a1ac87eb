"""Where the tool may write: pure."""
