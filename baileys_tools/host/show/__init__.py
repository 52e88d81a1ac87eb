"""Jobs and the state of the machine as text."""
