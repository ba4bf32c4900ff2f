"""Amazon Bedrock of an AWS account as a source."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from exporter.records import Amounts
from exporter.setting_types import Duration, HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.bedrock import costs, usage
from exporter.sources.providers.bedrock.door import Account, Door

_COST_EXPLORER = "us-east-1"  # the only region that has it


class BedrockSettings(ProviderSettings):
    """Amazon Bedrock, in the regions of one AWS account."""

    kind: Literal["bedrock"] = "bedrock"
    every: Duration = timedelta(minutes=15)
    """CloudWatch takes 0.01 USD for 1,000 metrics asked: a model has about five."""
    base_url: HttpUrl | None = None  # type: ignore[assignment]  # AWS has one per service and region
    """A proxy of your own for CloudWatch and Cost Explorer; none means AWS's own addresses."""
    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    """Where models are called, such as us-east-1."""
    access_key_id: Secret | None = None
    """None: AWS's own chain finds credentials: variables, profile, role of the machine."""
    secret_access_key: Secret | None = None
    """Belongs to access_key_id."""
    costs: Annotated[bool, Field(strict=True)] = True
    """Whether to ask Cost Explorer for what the whole account is billed: 0.01 USD an answer, some
    eight a day. Of several sources in one account, one may ask."""

    @model_validator(mode="after")
    def _both_keys_or_none(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together; set both")
        return self


def source(settings: BedrockSettings) -> ReportSource:
    """Return the account as a source.

    Raises:
        ConfigurationError: boto3 is not installed.
    """
    account = Account(
        access_key_id=_plain(settings.access_key_id),
        secret_access_key=_plain(settings.secret_access_key),
        base_url=settings.base_url,
        allow_private=settings.allow_private,
    )
    metrics = {region: Door(account, "cloudwatch", region) for region in settings.regions}
    bills = Door(account, "ce", _COST_EXPLORER) if settings.costs else None

    def close() -> None:
        for door in (*metrics.values(), *([bills] if bills else [])):
            door.close()

    reports = [
        Report(
            name="usage",
            amounts=(Amounts.USAGE,),
            rhythm=usage.RHYTHM,
            read=partial(usage.read_usage, metrics, settings.name),
        )
    ]
    if bills is not None:
        reports.append(
            Report(
                name="costs",
                amounts=(Amounts.COST,),
                rhythm=costs.RHYTHM,
                read=costs.Costs(bills, settings.name).read,
                is_optional=True,
            )
        )
    return ReportSource(
        name=settings.name,
        provider="aws",
        reports=reports,
        history=settings.history,
        close=close,
    )


def _plain(secret: Secret | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
