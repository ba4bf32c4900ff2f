"""Amazon Bedrock: usage by hour from CloudWatch, costs by day from Cost Explorer."""
