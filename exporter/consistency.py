"""Whether the parts of a configuration go together: names that are there once, and are there."""

from collections.abc import Iterator, Sequence

from exporter.budget_settings import BudgetSettings
from exporter.settings import Settings, SourceSettings


def told_twice(sources: Sequence[SourceSettings]) -> Iterator[str]:
    """Yield what would be counted twice: two sources of one name, or that read the same."""
    names = [source.name for source in sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"sources.{name}: the name stands twice; each source needs its own"
    yield from _read_twice(sources)


def contradictions(settings: Settings) -> Iterator[str]:
    """Yield what parts of a whole configuration say against each other."""
    yield from _names_taken(settings)
    yield from _budgets(settings)


def _budgets(settings: Settings) -> Iterator[str]:
    """Name budgets that are called alike, or mean a source that is not there."""
    names = [budget.name for budget in settings.budgets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"budgets.{name}: the name stands twice; each budget needs its own"
    for budget in settings.budgets:
        yield from _budget(budget, settings)


def _budget(budget: BudgetSettings, settings: Settings) -> Iterator[str]:
    receivers = (settings.receivers.traces, settings.receivers.executions)
    known = [*(source.name for source in settings.sources), *(one.name for one in receivers)]
    meant = {"source": budget.source, "pause.source": budget.pause and budget.pause.source}
    if budget.scope == "source":
        meant["value"] = budget.value
    for key, name in meant.items():
        if name is not None and name not in known:
            yield (
                f"budgets.{budget.name}.{key}: no source is named {name!r}; "
                f"known: {', '.join(sorted(known))}"
            )
    if budget.pause is None or budget.dry_run:
        return
    switchable = {source.name for source in settings.sources if getattr(source, "api", None)}
    of_source = budget.pause.source or budget.source
    if not switchable or (of_source in known and of_source not in switchable):
        yield (
            f"budgets.{budget.name}.pause: needs `api` (url, key) of the n8n source that the "
            "workflows are in, or dry_run: true"
        )


def _names_taken(settings: Settings) -> Iterator[str]:
    """Name receivers that are called as a source is, or as each other."""
    taken = {source.name for source in settings.sources}
    for key in ("traces", "executions"):
        receiver = getattr(settings.receivers, key)
        if receiver.enabled and receiver.name in taken:
            yield (
                f"receivers.{key}.name: {receiver.name!r} is the name of a source or receiver "
                "already; each needs its own"
            )
        taken.add(receiver.name)


def _read_twice(sources: Sequence[SourceSettings]) -> Iterator[str]:
    """Name sources that differ in nothing but their name and rhythm: all would count twice."""
    for later, source in enumerate(sources):
        for earlier in sources[:later]:
            if source == earlier.model_copy(update={"name": source.name, "every": source.every}):
                yield (
                    f"sources.{source.name}: reads the same as {earlier.name}, "
                    "and everything would be counted twice; remove one"
                )
