"""Langfuse: the model calls of a project, with the cost that Langfuse names."""
