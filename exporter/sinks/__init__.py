"""Everywhere records go."""
