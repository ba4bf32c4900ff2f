"""Spans → records."""
