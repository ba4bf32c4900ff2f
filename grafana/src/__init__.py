"""Source of what Grafana is given: dashboards and alert rules."""
