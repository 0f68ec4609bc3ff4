"""Process 2: the only connection to the gateway, the jobs' handlers, orders and market data."""
