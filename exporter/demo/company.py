"""The simulated company: its customers, its projects and all its workflows."""

from exporter.demo.company_on_demand import (
    BLOG_WRITER,
    EXPENSE_APPROVAL,
    INVOICE_EXTRACTION,
    ONBOARDING_AGENT,
    SOCIAL_POSTS,
    TICKET_TRIAGE,
)
from exporter.demo.company_scheduled import (
    ERROR_HANDLER,
    LEAD_ENRICHMENT,
    NIGHTLY_REPORT,
    WEEKLY_DIGEST,
)
from exporter.demo.workflow_model import Workflow

# Share of traffic per customer: a few large ones, a long tail.
CUSTOMER_WEIGHTS = {f"customer-{number:02d}": round(30 / number**0.9, 2) for number in range(1, 15)}

# The error handler comes first: the others refer to it.
WORKFLOWS: tuple[Workflow, ...] = (
    ERROR_HANDLER,
    SOCIAL_POSTS,
    BLOG_WRITER,
    TICKET_TRIAGE,
    ONBOARDING_AGENT,
    INVOICE_EXTRACTION,
    EXPENSE_APPROVAL,
    LEAD_ENRICHMENT,
    NIGHTLY_REPORT,
    WEEKLY_DIGEST,
)

# What the story of the week happens to.
EXPENSIVE_WORKFLOW = BLOG_WRITER
BURSTING_WORKFLOW = TICKET_TRIAGE
SLOW_PROVIDER = "openai"
FAILING_PROVIDER = "anthropic"
