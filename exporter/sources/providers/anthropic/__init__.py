"""Anthropic: usage by hour, costs by day, Claude Code by user and day, names."""
