"""The parts of the documentation that are derived from the code."""
