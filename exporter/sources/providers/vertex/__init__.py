"""Vertex AI: usage by hour from Cloud Monitoring."""
