"""Azure OpenAI: usage by hour from Azure Monitor, costs by day from Cost Management."""
