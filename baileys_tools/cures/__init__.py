"""What operators mend by hand: one group, one contact, some sessions, each set aside undoably."""
