"""OpenRouter: usage and cost of completed days, credits and limits of keys, names."""
