"""One status page: read by its kind, found out anew when that changes, concluded to a reading."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from exporter.records import (
    ComponentStatus,
    IncidentPhase,
    PageReading,
    UnknownCause,
)
from exporter.sources.status import stated
from exporter.sources.status.conclusion import WHOLE_PAGE, Conclusion, concluded
from exporter.sources.status.door import Door
from exporter.sources.status.formats import FORMATS
from exporter.sources.status.reading import PageContent, UnknownStatusError
from exporter.sources.status.settings import AUTO, PageSettings

_HISTORY_EVERY = timedelta(days=1)
_DETECT_EVERY = timedelta(minutes=15)
_OTHER_KIND = (UnknownCause.UNPARSABLE, UnknownCause.MOVED)


class StatusPage:
    """A page that is read again and again."""

    def __init__(
        self,
        source: str,
        settings: PageSettings,
        *,
        believed_for: timedelta,
        frozen_after: timedelta,
        allow_private: bool,
    ) -> None:
        self.settings = settings
        self._source = source
        self._believed_for = believed_for
        self._frozen_after = frozen_after
        self._allow_private = allow_private
        self._door = self._opened(settings.url)
        self._kind = settings.kind
        self._detected_at: datetime | None = None
        self._history_at: datetime | None = None
        self._open: frozenset[str] = frozenset()

    def _opened(self, url: str) -> Door:
        regions = [region.lower() for region in self.settings.regions]
        return Door(url, regions=regions, allow_private=self._allow_private)

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        self._door.close()

    def read(self, now: datetime) -> tuple[PageReading, int]:
        """Read the page; return what it says, and how many of its words nobody here knows."""
        try:
            content = self._content(now)
            told = concluded(content, self.settings.components, now, self._frozen_after)
        except UnknownStatusError as error:
            silent = ComponentStatus(
                component=WHOLE_PAGE, level=None, raw=stated.title(str(error)), cause=error.cause
            )
            told = Conclusion(statuses=(silent,), incidents=(), unmapped=0)
            return self._reading(told, now, is_complete=False), 0
        still_open = frozenset(
            one.incident_id for one in told.incidents if one.phase is IncidentPhase.OPEN
        )
        if self._door.wants_history:
            self._history_at = now
        if self._open - still_open:
            self._history_at = None  # when did it end, and how?
        self._open = still_open
        return self._reading(told, now, is_complete=True), told.unmapped

    def _reading(
        self,
        told: Conclusion,
        now: datetime,
        *,
        is_complete: bool,
    ) -> PageReading:
        page = self.settings
        return PageReading(
            source=self._source,
            page=page.page,
            title=page.title,
            url=page.url,
            kind=self._kind,
            providers=page.providers,
            alert=page.alert,
            is_selective=bool(page.components),
            observed_at=now,
            believed_until=now + self._believed_for,
            statuses=told.statuses,
            incidents=told.incidents,
            is_complete=is_complete,
            moved_to=self._moved_to(),
        )

    def _moved_to(self) -> str | None:
        if self._door.url != self.settings.url:
            return self._door.url
        return self._door.moved_to

    def _content(self, now: datetime) -> PageContent:
        wants_history = self._history_at is None or now - self._history_at >= _HISTORY_EVERY
        self._door.begin(now, wants_history=wants_history)
        if self._kind == AUTO:
            return self._detected()
        try:
            content = FORMATS[self._kind].read(self._door)
            self._expect_name(content)
        except UnknownStatusError as error:
            is_due = self._detected_at is None or now - self._detected_at >= _DETECT_EVERY
            if error.cause not in _OTHER_KIND or not is_due:
                raise
            self._detected_at = now
            return self._found_elsewhere(now, error)
        return content

    def _found_elsewhere(self, now: datetime, error: UnknownStatusError) -> PageContent:
        """Try all kinds, here and then where the page leads; else what was wrong stays wrong."""
        for door in self._doors(now):
            before, self._door = self._door, door
            try:
                return self._detected(last_resort=False)
            except UnknownStatusError:
                self._door = before
        raise error

    def _doors(self, now: datetime) -> Iterator[Door]:
        led_to = self._door.moved_to
        yield self._door
        if led_to is not None:
            elsewhere = self._opened(led_to)
            elsewhere.begin(now, wants_history=True)
            yield elsewhere

    def _detected(self, *, last_resort: bool = True) -> PageContent:
        """Return what the first kind makes of the page that understands it, and stay with that."""
        for kind, how in FORMATS.items():
            if not how.is_detectable or (how.is_last_resort and not last_resort):
                continue
            try:
                content = how.read(self._door)
                self._expect_name(content)
            except UnknownStatusError as error:
                if error.cause not in _OTHER_KIND:
                    raise
                continue
            self._kind = kind
            return content
        raise UnknownStatusError(
            UnknownCause.UNPARSABLE, f"{self._door.url} is a page of no kind that is known"
        )

    def _expect_name(self, content: PageContent) -> None:
        """Believe another host only if its page bears the name: it may be another company's.

        Raises:
            UnknownStatusError: it does not.
        """
        led_to = self._moved_to()
        if led_to is None:
            return
        names = {self.settings.title.casefold(), self.settings.page.casefold()} - {""}
        found = (content.name or "").casefold()
        if not found or not any(name in found or found in name for name in names):
            raise UnknownStatusError(
                UnknownCause.MOVED,
                f"the page leads to {led_to}, which calls itself {content.name or 'nothing'!r}",
            )
