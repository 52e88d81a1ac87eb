"""Pure: what the cells of a store mean as files, and back."""
