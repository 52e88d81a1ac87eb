"""Runs by itself on this machine: cron, doctor, config, help."""
