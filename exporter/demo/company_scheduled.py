"""The simulated company's workflows that run by the clock or after another one's failure."""

from exporter.demo.company_models import GPT_4_1, GPT_4O_MINI, SONNET
from exporter.demo.workflow_model import Fate, Kind, Prompt, Schedule, Step, Workflow

_SCHEDULE = Step(name="Schedule Trigger", kind=Kind.SCHEDULE)

LEAD_ENRICHMENT = Workflow(
    name="Lead Enrichment",
    team="sales",
    project="Sales",
    tags=("ai", "production", "sales"),
    schedule=Schedule(hours=(6, 8, 10, 12, 14, 16, 18, 20), minute=30),
    failures={Fate.CRASH: 0.01},
    steps=(
        _SCHEDULE,
        Step(name="Load Leads", kind=Kind.CODE, batch=(50, 100), fields=("lead", "domain")),
        Step(
            name="Enrich Company",
            kind=Kind.HTTP,
            seconds=(0.1, 0.4),
            url="=https://enrichment.example/companies/{{ $json.domain }}",
            fields=("lead", "company", "employees", "industry"),
            item_failure_rate=0.05,
            continue_on_error=True,
        ),
        Step(
            name="Score Lead",
            kind=Kind.CHAIN,
            item_failure_rate=0.02,
            continue_on_error=True,
            prompt=Prompt(
                model=GPT_4O_MINI,
                node="OpenAI Chat Model",
                text="Score this lead from 0 to 100 and say why: {previous}",
                output_tokens=(25, 70),
            ),
        ),
        Step(name="Count Results", kind=Kind.CODE, fields=("ok", "failed")),
    ),
)

NIGHTLY_REPORT = Workflow(
    name="Nightly Report",
    team="finance",
    project="Finance",
    tags=("ai", "production", "finance"),
    schedule=Schedule(hours=(2,)),
    timeout_seconds=300,
    failures={Fate.TIMEOUT: 0.08, Fate.LLM_SERVER_ERROR: 0.03},
    steps=(
        _SCHEDULE,
        Step(
            name="Load Figures",
            kind=Kind.HTTP,
            seconds=(2.0, 9.0),
            url="https://warehouse.example/figures",
            fields=("rows", "revenue_eur", "refunds_eur"),
            retry_on_fail=True,
        ),
        Step(
            name="Executive Summary",
            kind=Kind.CHAIN,
            prompt=Prompt(
                model=SONNET,
                node="Claude Sonnet",
                system="You write the report the management reads first.",
                text="Summarise yesterday: {previous} Details: ",
                context_tokens=(3_500, 6_000),
                output_tokens=(500, 900),
            ),
        ),
        Step(
            name="Send Report",
            kind=Kind.HTTP,
            seconds=(0.2, 0.8),
            url="https://mail.example/send",
            fields=("accepted", "message_id"),
        ),
    ),
)

WEEKLY_DIGEST = Workflow(
    name="Weekly Digest",
    team="marketing",
    project="Marketing",
    tags=("ai", "marketing"),
    schedule=Schedule(hours=(6,), minute=15, weekday=0),
    timeout_seconds=600,
    steps=(
        _SCHEDULE,
        Step(
            name="Collect Articles",
            kind=Kind.HTTP,
            seconds=(1.0, 4.0),
            url="https://cms.example/articles?days=7",
            fields=("rows",),
        ),
        Step(
            name="Write Digest",
            kind=Kind.CHAIN,
            prompt=Prompt(
                model=GPT_4_1,
                node="OpenAI Chat Model",
                system="You write a weekly digest for customers.",
                text="Write the digest of this week: {previous} Articles: ",
                context_tokens=(9_000, 14_000),
                output_tokens=(1_200, 1_800),
            ),
        ),
        Step(
            name="Send Digest",
            kind=Kind.HTTP,
            seconds=(0.5, 1.5),
            url="https://mail.example/campaigns",
            fields=("accepted", "message_id"),
        ),
    ),
)

ERROR_HANDLER = Workflow(
    name="Error Handler",
    team="platform",
    project="Demo Owner <owner@example.com>",
    tags=("production",),
    reports_errors=False,
    steps=(
        Step(name="Error Trigger", kind=Kind.ERROR_TRIGGER),
        Step(name="Format Alert", kind=Kind.SET, fields=("alert",)),
        Step(
            name="Notify Team",
            kind=Kind.HTTP,
            seconds=(0.1, 0.4),
            url="https://chat.example/hooks/alerts",
            fields=("accepted",),
        ),
    ),
)
