"""Sessions in stores, worked on as folders: a private working copy of one, and what becomes of its changes."""
