"""The TWS API's text protocol: frames, negotiation, and the layout of every message by server version."""
