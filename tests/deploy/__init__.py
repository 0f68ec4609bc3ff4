"""The deployment's files, held against the code without any container engine."""
