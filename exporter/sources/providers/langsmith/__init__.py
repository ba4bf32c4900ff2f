"""LangSmith: the model calls of a workspace's projects, with the cost that LangSmith names."""
