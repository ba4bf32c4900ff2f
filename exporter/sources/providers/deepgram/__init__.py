"""Deepgram: usage by model and billed dollars by day, balances, names of projects and keys."""
