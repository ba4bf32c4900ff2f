"""What the simulated company lets itself spend: some of it is used up on most days."""

from typing import Any

BUDGETS: tuple[dict[str, Any], ...] = (
    {"name": "company", "period": "month", "limit_usd": 60},
    {"name": "each-customer", "scope": "customer", "period": "day", "limit_usd": 0.6, "deny": True},
    {
        "name": "blog-writer",
        "scope": "workflow",
        "value": "Blog Writer",
        "period": "day",
        "limit_usd": 1.2,
        "pause": {"resume": True},
        "dry_run": True,  # its n8n is a database without a server
    },
    {"name": "one-run", "period": "execution", "limit_usd": 0.12, "deny": True},
)
"""Entries of `budgets:`, against a company that spends about two US dollars on a working day."""
