"""LiteLLM proxy: every call with its cost, read from its own PostgreSQL."""
