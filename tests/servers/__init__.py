"""Real servers for tests: a Valkey, a PostgreSQL and a browser, each found on this machine and started on loopback."""
