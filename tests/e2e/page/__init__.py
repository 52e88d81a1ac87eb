"""The live page, as its users and its enemies see it."""
