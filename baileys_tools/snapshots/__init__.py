"""The backup repository: archives that are written, encrypted, published, verified, listed and copied."""
