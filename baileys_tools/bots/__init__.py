"""What bots say of themselves: HTTP API, process, logs, QR codes."""
