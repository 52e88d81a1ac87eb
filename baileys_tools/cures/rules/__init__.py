"""Pure: what is set aside, why, and what that costs."""
