"""What is remarkable of model calls and steps: how they failed, ended and recovered."""

from exporter.resilience.signals import with_signals

__all__ = ["with_signals"]
