"""Statements that the TimescaleDB sink sends."""
