"""Who is told of an alert, as Grafana reads it: contact points, policies, mute times, texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from grafana.src.provisioning_values import Duration, PlainText, Strict, Text, Uid


def _matcher(triple: list[str]) -> list[str]:
    name, operator, value = triple
    if operator not in ("=", "!=", "=~", "!~"):
        raise ValueError(f"{operator!r} is no operator of a matcher on {name}")
    if "~" in operator and not value.startswith("$"):
        re.compile(value)
    return triple


Matcher = Annotated[list[Text], Field(min_length=3, max_length=3), AfterValidator(_matcher)]
"""Label, operator, value; a variable may stand for the value."""


class SlackSettings(Strict):
    """A Slack channel by its webhook; an empty address keeps Grafana from starting."""

    url: Text
    title: Text
    text: Text
    color: Text | None = None


class PagerDutySettings(Strict):
    """A PagerDuty service."""

    integrationKey: Text  # noqa: N815 (Grafana's word)
    severity: Text
    summary: Text
    details: dict[str, Text] = Field(default_factory=dict)


class EmailSettings(Strict):
    """Mail addresses, separated by commas."""

    addresses: Text
    singleEmail: bool = False  # noqa: N815
    subject: Text
    message: Text


class WebhookSettings(Strict):
    """An address that gets a POST."""

    url: Text


class _Receiver(Strict):
    uid: Uid
    disableResolveMessage: bool = False  # noqa: N815


class SlackReceiver(_Receiver):
    """Sends to Slack."""

    type: Literal["slack"]
    settings: SlackSettings


class PagerDutyReceiver(_Receiver):
    """Sends to PagerDuty."""

    type: Literal["pagerduty"]
    settings: PagerDutySettings


class EmailReceiver(_Receiver):
    """Sends mail."""

    type: Literal["email"]
    settings: EmailSettings


class WebhookReceiver(_Receiver):
    """Sends a POST."""

    type: Literal["webhook"]
    settings: WebhookSettings


class ContactPoint(Strict):
    """A name that policies send to, with at least one receiver."""

    orgId: Literal[1]  # noqa: N815
    name: Text
    receivers: Annotated[
        list[
            Annotated[
                SlackReceiver | PagerDutyReceiver | EmailReceiver | WebhookReceiver,
                Field(discriminator="type"),
            ]
        ],
        Field(min_length=1),
    ]


class Route(Strict):
    """A branch of the policy tree."""

    receiver: Text
    object_matchers: Annotated[list[Matcher], Field(min_length=1)]
    continue_: bool = Field(False, alias="continue")
    group_by: list[Text] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    mute_time_intervals: list[Text] | None = None
    routes: list[Route] | None = None


class Policy(Strict):
    """The one policy tree; mute times are not allowed at its root."""

    orgId: Literal[1]  # noqa: N815
    receiver: Text
    group_by: Annotated[list[Text], Field(min_length=1)]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration
    routes: list[Route]


class TimeOfDay(Strict):
    """From and until, as HH:MM."""

    start_time: Annotated[str, Field(pattern=r"^([01]\d|2[0-4]):[0-5]\d$")]
    end_time: Annotated[str, Field(pattern=r"^([01]\d|2[0-4]):[0-5]\d$")]


class TimeInterval(Strict):
    """When, by the clock and the calendar of a place."""

    times: list[TimeOfDay] | None = None
    weekdays: list[str] | None = None
    days_of_month: list[str] | None = None
    months: list[str] | None = None
    years: list[str] | None = None
    location: str | None = None


class MuteTime(Strict):
    """A name for times in which nobody is told."""

    orgId: Literal[1]  # noqa: N815
    name: PlainText
    time_intervals: Annotated[list[TimeInterval], Field(min_length=1)]


class MessageTemplate(Strict):
    """Go templates, left as they are."""

    orgId: Literal[1]  # noqa: N815
    name: PlainText
    template: Annotated[str, Field(pattern=r'\{\{-? ?define "')]


def routes_below(routes: list[Route]) -> Iterator[Route]:
    """Yield every branch, from the top down."""
    for route in routes:
        yield route
        yield from routes_below(route.routes or [])
