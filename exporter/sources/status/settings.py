"""Which status pages are read: names of the catalogue, or addresses of one's own."""

import difflib
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from exporter.setting_types import Duration, HttpUrl, Strict
from exporter.settings import SourceSettings
from exporter.sources.status.formats import FORMATS

AUTO = "auto"
_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"


def _known_kind(value: str) -> str:
    if value != AUTO and value not in FORMATS:
        raise ValueError(f"{value!r} is no kind of page; known: {AUTO}, {', '.join(FORMATS)}")
    return value


class PageSettings(Strict):
    """One status page."""

    page: Annotated[str, Field(pattern=f"^{_NAME}$")]
    """A name of the catalogue, or your own for a page that you give the `url` of."""
    url: HttpUrl
    title: str = ""
    """What people call it."""
    kind: Annotated[str, AfterValidator(_known_kind)] = AUTO
    """How it is read first; a page that turns out to be of another kind is read as that."""
    components: tuple[str, ...] = ()
    """What of it matters: ids, names or groups, with * and ?; none means everything."""
    regions: tuple[str, ...] = ()
    """The regions that matter, of a cloud's page."""
    providers: tuple[str, ...] = ()
    """Whose calls it explains, as model calls name their provider."""
    alert: Literal["used", "always", "never"] = "used"
    """Whether ProviderDegraded fires only if model calls went to it within a day."""


class CataloguedPage(Strict):
    """A line of the catalogue."""

    title: str
    url: HttpUrl
    kind: Annotated[str, AfterValidator(_known_kind)] = AUTO
    components: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    needs_regions: bool = False
    unreadable: str | None = None
    """Why no machine reads it."""
    checked: date


@cache
def catalogue() -> Mapping[str, CataloguedPage]:
    """Return the pages that are known by name."""
    text = files("exporter.sources.status").joinpath("pages.yml").read_text(encoding="utf-8")
    return {
        name: CataloguedPage.model_validate(line) for name, line in yaml.safe_load(text).items()
    }


def _entry(value: object) -> object:
    """Complete what is written of a page by what the catalogue knows of it."""
    if isinstance(value, str):
        value = {"url": value} if "://" in value else {"page": value}
    if not isinstance(value, dict):
        return value
    written: dict[str, Any] = dict(value)
    if "page" not in written and isinstance(written.get("url"), str):
        written["page"] = _named_by(written["url"])
    known = catalogue().get(str(written.get("page")))
    if known is None:
        if "url" not in written:
            raise ValueError(_unknown(written.get("page")))
        return {"title": written.get("page"), **written}
    if known.unreadable and "url" not in written:
        raise ValueError(
            f"{known.url} cannot be read by a machine: {known.unreadable}; "
            "remove it, or give the url of a page that can"
        )
    if known.needs_regions and not written.get("regions") and "url" not in written:
        raise ValueError(
            f"{written['page']} tells of all regions of the world; "
            f"write {{page: {written['page']}, regions: [us-east-1]}} with those you use"
        )
    facts = known.model_dump(exclude={"needs_regions", "unreadable", "checked"})
    if "url" in written and written.get("kind") is None:
        facts["kind"] = AUTO
    return {**facts, **written}


def _named_by(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return host.replace(".", "-")[:63]


def _unknown(page: object) -> str:
    close = difflib.get_close_matches(str(page), catalogue(), 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown page {page!r}{hint}; give its url, or one of: {', '.join(sorted(catalogue()))}"


def _listed(value: object) -> object:
    """Split what an environment variable lists."""
    return (
        [word.strip() for word in value.split(",") if word.strip()]
        if isinstance(value, str)
        else value
    )


def _some(pages: tuple[PageSettings, ...]) -> tuple[PageSettings, ...]:
    if not pages:
        raise ValueError("list at least one page")
    return pages


Page = Annotated[
    PageSettings,
    BeforeValidator(_entry),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {name: {} for name in PageSettings.model_fields}},
            ]
        }
    ),
]


class StatusPagesSettings(SourceSettings):
    """Status pages of providers, read together."""

    from_environment: ClassVar[Mapping[str, str]] = {"pages": "AIWF_STATUS_PAGES"}

    kind: Literal["status_pages"] = "status_pages"
    every: Duration = timedelta(minutes=1)
    pages: Annotated[tuple[Page, ...], BeforeValidator(_listed), AfterValidator(_some)]
    """Names of the catalogue, addresses, or mappings of page, url, kind, components …"""
    frozen_after: Duration = timedelta(days=90)
    """A page on which nothing has changed for longer is not believed."""
    allow_private: Annotated[bool, Field(strict=True)] = False
    """Whether pages may be on a private network or this machine, and asked without TLS."""

    @model_validator(mode="after")
    def _pages_differ(self) -> Self:
        seen: set[str] = set()
        for page in self.pages:
            if page.page in seen:
                raise ValueError(f"page {page.page!r} stands twice; give one of them another name")
            seen.add(page.page)
            if page.url.startswith("http:") and not self.allow_private:
                raise ValueError(
                    f"{page.url} can be forged on its way; write https://, "
                    "or allow_private: true where it stays in your own network"
                )
        return self
