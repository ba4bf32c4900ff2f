"""n8n, read from its own database."""
