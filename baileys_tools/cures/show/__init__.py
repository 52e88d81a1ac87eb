"""The results of cures, for people and for programs."""
