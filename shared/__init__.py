"""What the frontend and the worker must agree on. Imports neither fastmcp nor ib_async."""

VERSION = "0.1.0"
