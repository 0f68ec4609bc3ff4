"""Runs a transcript of jobs again, against a recording of the gateway, with no Redis and no frontend."""
