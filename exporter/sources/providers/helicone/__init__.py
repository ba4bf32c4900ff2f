"""Helicone: every request that it logged, with the cost that it names."""
