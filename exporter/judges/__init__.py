"""What is concluded from records: budgets, baselines, data quality, findings in workflows."""
