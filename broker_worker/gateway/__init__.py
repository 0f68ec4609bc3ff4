"""The link to IB Gateway: one socket at a time, its requests, its states, its message budget."""
