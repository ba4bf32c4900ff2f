"""Reads workflow engines, keeps history, shows the present: sources → records → sinks."""

__version__ = "0.1.0"
