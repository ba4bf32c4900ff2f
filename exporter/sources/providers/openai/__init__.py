"""OpenAI: usage by hour, costs by day, names of projects, users and keys."""
