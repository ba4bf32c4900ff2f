"""The simulated company at the clouds: which models it calls where."""

from exporter.demo.providers.organizations import Key, Organization, Traffic

AWS = Organization(
    provider="aws",
    models=(
        Traffic(
            model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            weight=4,
            input_tokens=6_500,
            output_tokens=1_100,
            cached_share=0.5,
            written_share=0.2,
            labels={"region": "us-east-1"},
        ),
        Traffic(
            model="amazon.nova-lite-v1:0",
            weight=3,
            input_tokens=1_800,
            output_tokens=300,
            labels={"region": "us-east-1"},
        ),
        Traffic(
            model="eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            weight=2,
            input_tokens=2_000,
            output_tokens=400,
            labels={"region": "eu-central-1"},
        ),
    ),
    unlisted=Traffic(
        model="arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/team1",
        weight=0.6,
        input_tokens=3_000,
        output_tokens=800,
        labels={"region": "us-east-1"},
    ),
    projects={},
    keys=(Key(id="role", name="role", project_id=None),),
    users={},
)

AZURE = Organization(
    provider="azure",
    models=(
        Traffic(
            model="gpt-5-mini-2025-08-07",
            weight=5,
            input_tokens=2_400,
            output_tokens=700,
            cached_share=0.4,
            labels={"deployment": "chat"},
        ),
        Traffic(
            model="gpt-4.1-2025-04-14",
            weight=2,
            input_tokens=5_200,
            output_tokens=900,
            labels={"deployment": "writer"},
        ),
        Traffic(
            model="gpt-4.1-2025-04-14",
            weight=1,
            input_tokens=4_000,
            output_tokens=600,
            labels={"deployment": "writer-test"},
        ),
    ),
    unlisted=Traffic(
        model="in-house-tuned",
        weight=0.6,
        input_tokens=3_000,
        output_tokens=800,
        labels={"deployment": "tuned"},
    ),
    projects={"Acme-Web": "Website", "Acme-Support": "Support"},  # the names of accounts
    keys=(
        Key(id="web", name="website", project_id="Acme-Web"),
        Key(id="tickets", name="ticket triage", project_id="Acme-Support"),
    ),
    users={},
    service_tier="default",
)

GOOGLE = Organization(
    provider="google",
    models=(
        Traffic(
            model="gemini-2.5-flash",
            weight=5,
            input_tokens=2_600,
            output_tokens=500,
            labels={"location": "us-central1", "publisher": "google"},
        ),
        Traffic(
            model="gemini-2.5-flash-lite",
            weight=3,
            input_tokens=1_200,
            output_tokens=200,
            labels={"location": "europe-west4", "publisher": "google"},
        ),
        Traffic(
            model="claude-sonnet-4-5@20250929",
            weight=2,
            input_tokens=6_000,
            output_tokens=1_000,
            labels={"location": "us-east5", "publisher": "anthropic"},
        ),
    ),
    unlisted=Traffic(
        model="in-house-tuned",
        weight=0.6,
        input_tokens=3_000,
        output_tokens=800,
        labels={"location": "us-central1", "publisher": "google"},
    ),
    projects={"acme-web": "Website", "acme-lab": "Lab"},
    keys=(
        Key(id="web", name="website", project_id="acme-web"),
        Key(id="lab", name="experiments", project_id="acme-lab"),
    ),
    users={},
)
