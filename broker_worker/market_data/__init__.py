"""Prices, bars and option chains from the gateway."""
