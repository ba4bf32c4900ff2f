"""Workflow engines, read from their own databases."""
