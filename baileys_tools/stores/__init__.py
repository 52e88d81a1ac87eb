"""Sessions in databases: rows of SQL and values of Redis, read and changed as records."""
