"""Accounts, positions, orders and their executions: the broker behind the protocol, which knows nothing of frames."""
