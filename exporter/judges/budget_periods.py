"""When a budget begins anew, by the clock of its zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from exporter.records import BudgetPeriod


def period_of(period: BudgetPeriod, zone: str, at: datetime) -> tuple[datetime, datetime]:
    """Return where the day or month that a time lies in begins, and where the next one does."""
    local = at.astimezone(ZoneInfo(zone))
    start = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period is BudgetPeriod.MONTH:
        start = start.replace(day=1)
        following = (start + timedelta(days=32)).replace(day=1)
    else:
        # Midnight to midnight by the clock on the wall: 23 or 25 hours on two days of the year.
        following = start + timedelta(days=1)
    return start.astimezone(UTC), following.astimezone(UTC)
