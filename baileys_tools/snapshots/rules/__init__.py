"""Which snapshots stay, and what backups have to tell: pure."""
