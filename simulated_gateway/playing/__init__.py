"""Answers a client from a recording."""
