"""The processes of a run beside the product's own; each is ``python -m benchmarks.children.NAME …``."""
