"""``python -m broker_worker doctor``: what is wrong with an installation, and what to do about it, within 30 seconds.

It changes nothing: it reads Redis, and asks the gateway under a client id of its own, so that it may run beside a
worker that serves.
"""
