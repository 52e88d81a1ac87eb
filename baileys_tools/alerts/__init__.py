"""What is told, when and through which channel."""
