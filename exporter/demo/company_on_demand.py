"""The simulated company's workflows that run on demand: each starts with a webhook."""

from exporter.demo.company_models import (
    GPT_4_1,
    GPT_4O,
    GPT_4O_MINI,
    GPT_5_MINI,
    HAIKU,
    ROUTER,
    SONNET,
)
from exporter.demo.workflow_model import Fate, Kind, Prompt, Step, Workflow

WORKING_HOURS = (
    0.2, 0.2, 0.1, 0.1, 0.2, 0.5, 1.5, 4.0, 7.0, 9.0, 9.5, 9.0,
    7.0, 8.5, 9.5, 9.0, 7.5, 5.0, 3.0, 2.0, 1.5, 1.0, 0.6, 0.4,
)  # fmt: skip
AROUND_THE_CLOCK = (
    2.0, 1.6, 1.4, 1.3, 1.4, 1.8, 2.6, 4.0, 5.5, 6.5, 6.8, 6.5,
    6.0, 6.2, 6.5, 6.4, 6.0, 5.5, 5.0, 4.6, 4.2, 3.6, 3.0, 2.4,
)  # fmt: skip

_TAG_CUSTOMER = Step(name="Execution Data", kind=Kind.EXECUTION_DATA)
_WEBHOOK = Step(name="Webhook", kind=Kind.WEBHOOK)
_CHANNELS = (("LinkedIn Post", 160, 320), ("Instagram Caption", 60, 140), ("X Post", 30, 75))

SOCIAL_POSTS = Workflow(
    name="Social Posts",
    team="marketing",
    project="Marketing",
    tags=("ai", "production", "marketing"),
    path="social-posts",
    inputs=("customer", "topic"),
    runs_per_workday=110,
    hour_weights=WORKING_HOURS,
    failures={Fate.LLM_RATE_LIMITED: 0.012, Fate.LLM_SERVER_ERROR: 0.008, Fate.CANCELED: 0.002},
    steps=(
        _WEBHOOK,
        _TAG_CUSTOMER,
        *(
            Step(
                name=f"Write {channel}",
                kind=Kind.CHAIN,
                prompt=Prompt(
                    model=GPT_4O_MINI,
                    node="OpenAI Chat Model",
                    system="You write social media posts. One clear idea, no hashtags.",
                    text=f"Write a {channel} for {{customer}} about {{topic}}.",
                    context_tokens=(120, 420),
                    output_tokens=(low, high),
                ),
            )
            for channel, low, high in _CHANNELS
        ),
        Step(
            name="Schedule Posts",
            kind=Kind.HTTP,
            seconds=(0.1, 0.6),
            url="https://publisher.example/posts",
            fields=("accepted", "post_id"),
            retry_on_fail=True,
        ),
    ),
)

BLOG_WRITER = Workflow(
    name="Blog Writer",
    team="marketing",
    project="Marketing",
    tags=("ai", "production", "marketing"),
    path="blog-writer",
    inputs=("customer", "topic"),
    runs_per_workday=40,
    hour_weights=WORKING_HOURS,
    timeout_seconds=120,
    revised_days_ago=3,
    failures={
        Fate.LLM_RATE_LIMITED: 0.02,
        Fate.LLM_SERVER_ERROR: 0.01,
        Fate.TIMEOUT: 0.012,
        Fate.CRASH: 0.005,
    },
    steps=(
        _WEBHOOK,
        _TAG_CUSTOMER,
        Step(
            name="Draft Article",
            kind=Kind.CHAIN,
            prompt=Prompt(
                model=GPT_4O,
                node="GPT-4o",
                system="You are a senior content writer. Write clear, factual articles.",
                text="Write an article for {customer} about {topic}. Background: ",
                context_tokens=(400, 1_100),
                output_tokens=(600, 1_300),
            ),
        ),
        Step(
            name="Polish Article",
            kind=Kind.CHAIN,
            prompt=Prompt(
                model=SONNET,
                node="Claude Sonnet",
                system="You are a meticulous editor. Keep every fact, improve every sentence.",
                text="Polish this article for {customer}: {previous} Background: ",
                context_tokens=(400, 1_100),
                output_tokens=(550, 1_200),
            ),
        ),
        Step(
            name="Save Draft",
            kind=Kind.HTTP,
            seconds=(0.15, 0.7),
            url="https://cms.example/drafts",
            fields=("accepted", "article_id"),
        ),
    ),
)

TICKET_TRIAGE = Workflow(
    name="Support Ticket Triage",
    team="support",
    project="Customer Success",
    tags=("ai", "production", "cost-center:4711"),
    path="tickets",
    inputs=("customer", "ticket", "contact"),
    runs_per_workday=330,
    hour_weights=AROUND_THE_CLOCK,
    weekend_factor=0.4,
    failures={
        Fate.LLM_RATE_LIMITED: 0.008,
        Fate.LLM_SERVER_ERROR: 0.006,
        Fate.INVALID_JSON: 0.018,
        Fate.CRASH: 0.002,
    },
    steps=(
        _WEBHOOK,
        _TAG_CUSTOMER,
        Step(
            name="Triage",
            kind=Kind.CHAIN,
            retry_on_fail=True,
            prompt=Prompt(
                model=GPT_5_MINI,
                node="OpenAI Reasoning Model",
                system="You triage support tickets. Answer as JSON: category, urgency, summary.",
                text="Ticket from {contact}: {ticket}",
                context_tokens=(60, 350),
                output_tokens=(50, 120),
            ),
        ),
        Step(
            name="Parse Answer",
            kind=Kind.CODE,
            parses_json=True,
            fields=("category", "urgency", "summary"),
        ),
        Step(
            name="Choose Queue",
            kind=Kind.CHAIN,
            prompt=Prompt(
                model=ROUTER,
                node="Router Model",
                text="Which queue takes this? {previous}",
                output_tokens=(4, 12),
            ),
        ),
        Step(
            name="Update Helpdesk",
            kind=Kind.HTTP,
            seconds=(0.1, 0.5),
            url="https://helpdesk.example/tickets",
            fields=("accepted", "queue"),
            retry_on_fail=True,
        ),
    ),
)

ONBOARDING_AGENT = Workflow(
    name="Customer Onboarding Agent",
    team="customer-success",
    project="Customer Success",
    tags=("ai", "production"),
    path="onboarding",
    inputs=("customer", "seats", "plan"),
    runs_per_workday=60,
    hour_weights=WORKING_HOURS,
    failures={
        Fate.LLM_RATE_LIMITED: 0.015,
        Fate.LLM_SERVER_ERROR: 0.012,
        Fate.CANCELED: 0.006,
        Fate.CRASH: 0.004,
    },
    steps=(
        _WEBHOOK,
        _TAG_CUSTOMER,
        Step(
            name="Onboarding Agent",
            kind=Kind.AGENT,
            tools=("Look Up Account", "Calculator"),
            prompt=Prompt(
                model=SONNET,
                node="Claude Sonnet",
                system="You are an onboarding specialist. Look things up before you answer.",
                text="Prepare the onboarding of {customer}: {seats} seats on plan {plan}.",
                context_tokens=(250, 700),
                output_tokens=(220, 520),
            ),
        ),
        Step(
            name="Create Tasks",
            kind=Kind.HTTP,
            seconds=(0.2, 0.9),
            url="https://projects.example/tasks",
            fields=("accepted", "task_id"),
        ),
    ),
)

INVOICE_EXTRACTION = Workflow(
    name="Invoice Extraction",
    team="finance",
    project="Finance",
    tags=("ai", "production", "cost-center:4720"),
    path="invoices",
    inputs=("customer", "invoice_text"),
    runs_per_workday=150,
    hour_weights=WORKING_HOURS,
    failures={
        Fate.LLM_RATE_LIMITED: 0.006,
        Fate.LLM_SERVER_ERROR: 0.006,
        Fate.INVALID_JSON: 0.022,
    },
    steps=(
        _WEBHOOK,
        _TAG_CUSTOMER,
        Step(
            name="Extract Fields",
            kind=Kind.VENDOR,
            prompt=Prompt(
                model=GPT_4_1,
                node="",
                text="Extract number, date, net, VAT and total as JSON: {invoice_text}",
                context_tokens=(300, 1_200),
                output_tokens=(70, 160),
            ),
        ),
        Step(
            name="Check Totals",
            kind=Kind.CODE,
            parses_json=True,
            fields=("invoice", "amount_eur", "vat_ok"),
        ),
        Step(
            name="Book Invoice",
            kind=Kind.HTTP,
            seconds=(0.2, 1.2),
            url="https://ledger.example/invoices",
            fields=("accepted", "booking_id"),
            retry_on_fail=True,
        ),
    ),
)

EXPENSE_APPROVAL = Workflow(
    name="Expense Approval",
    team="finance",
    project="Finance",
    tags=("ai", "finance"),
    path="expenses",
    inputs=("customer", "amount_eur", "purpose"),
    runs_per_workday=24,
    hour_weights=WORKING_HOURS,
    failures={Fate.LLM_RATE_LIMITED: 0.01},
    steps=(
        _WEBHOOK,
        _TAG_CUSTOMER,
        Step(
            name="Draft Approval Request",
            kind=Kind.CHAIN,
            prompt=Prompt(
                model=HAIKU,
                node="Claude Haiku",
                text="Draft an approval request: {amount_eur} EUR for {purpose}.",
                output_tokens=(80, 180),
            ),
        ),
        Step(name="Wait for Approval", kind=Kind.WAIT),
        Step(name="Book Expense", kind=Kind.SET, fields=("booked",)),
    ),
)
