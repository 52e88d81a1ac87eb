"""What the tool talks to besides folders: bots over HTTP, processes, alert endpoints."""
