"""The deployment in real containers, by ``make test-compose``: ``make test`` leaves it out, it needs an engine."""
