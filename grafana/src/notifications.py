"""Who is told of an alert: by severity, over Slack, PagerDuty and mail, each only if configured."""

from __future__ import annotations

from grafana.src.generated_yaml import as_yaml
from grafana.src.provisioning_models import AlertingFile

# Each route's expression comes from the environment. Where a receiver is not configured, it
# matches no severity, and the receiver's settings are valid placeholders: an empty one would
# keep Grafana from starting.
SLACK, PAGERDUTY, EMAIL, NOBODY = "aiwf-slack", "aiwf-pagerduty", "aiwf-email", "aiwf-nobody"

TITLE = """\
{{ define "aiwf.title" -}}
[{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}RESOLVED{{ end }}] \
{{ if .CommonAnnotations.summary }}{{ .CommonAnnotations.summary }}\
{{ else }}{{ .CommonLabels.alertname }} ({{ len .Alerts }}){{ end }}
{{- end }}
"""

TEXT = """\
{{ define "aiwf.text" -}}
{{ range .Alerts -}}
{{ if eq .Status "resolved" }}Resolved: {{ end }}{{ .Annotations.description }}
Dashboard: {{ .PanelURL }}
Runbook: {{ .Annotations.runbook_url }}
{{ if eq .Status "firing" }}Silence: {{ .SilenceURL }}
{{ end }}
{{ end -}}
{{- end }}
"""


def _point(name: str, kind: str, settings: dict[str, object]) -> dict[str, object]:
    receiver = {"uid": f"{name}-1", "type": kind, "settings": settings}
    return {"orgId": 1, "name": name, "receivers": [receiver]}


def _route(receiver: str, matcher: list[str], **more: object) -> dict[str, object]:
    return {"receiver": receiver, "object_matchers": [matcher], **more}


def _by_severity(receiver: str, variable: str) -> dict[str, object]:
    return _route(receiver, ["severity", "=~", variable], **{"continue": True})


def build() -> str:
    """Return the file of contact points, policies and message texts."""
    pagerduty = _by_severity(PAGERDUTY, "$AIWF_PAGERDUTY_ROUTE")
    slack = _by_severity(SLACK, "$AIWF_SLACK_ROUTE")
    email = _by_severity(EMAIL, "$AIWF_EMAIL_ROUTE")
    title, text = '{{ template "aiwf.title" . }}', '{{ template "aiwf.text" . }}'
    document = {
        "apiVersion": 1,
        "contactPoints": [
            # Grafana's word for sending nothing: the alert is on its screen only.
            _point(NOBODY, "webhook", {"url": "grafana://noop"}),
            _point(SLACK, "slack", {"url": "$SLACK_WEBHOOK_URL", "title": title, "text": text}),
            _point(
                PAGERDUTY,
                "pagerduty",
                {
                    "integrationKey": "$PAGERDUTY_INTEGRATION_KEY",
                    "severity": "{{ .CommonLabels.severity }}",
                    "summary": title,
                },
            ),
            _point(
                EMAIL,
                "email",
                {"addresses": "$ALERT_EMAIL_ADDRESSES", "subject": title, "message": text},
            ),
        ],
        "policies": [
            {
                "orgId": 1,
                "receiver": NOBODY,
                "group_by": ["grafana_folder", "alertname", "source"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "4h",
                "routes": [
                    # First, and never PagerDuty: one outage of Prometheus fails every rule.
                    _route(
                        NOBODY,
                        ["alertname", "=~", "DatasourceNoData|DatasourceError"],
                        group_by=["datasource_uid"],
                        repeat_interval="12h",
                        routes=[slack, email],
                    ),
                    pagerduty,
                    slack,
                    email,
                ],
            }
        ],
        "templates": [
            {"orgId": 1, "name": "aiwf", "template": TITLE + TEXT},
        ],
    }
    AlertingFile.model_validate(document)
    return as_yaml(document)
