"""OpenTelemetry: spans as they come, and what is concluded from a whole trace."""
