"""Orders: what is known of each, how one is placed at most once, and the tools."""
