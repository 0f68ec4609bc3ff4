"""A hostile gateway and hostile jobs: the worker lives on, trades nothing unasked, and says what it drops."""
