"""How the sessions are: monitor-once, status, inspect, watch, report, incidents."""
