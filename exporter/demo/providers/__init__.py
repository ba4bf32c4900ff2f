"""Simulated LLM providers: local servers that report usage and cost from one known truth."""
