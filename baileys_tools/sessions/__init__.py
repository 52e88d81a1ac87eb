"""The live session folders: find, scan, lock, remove and put back, always by folder handle."""
