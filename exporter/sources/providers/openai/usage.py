"""OpenAI's usage: one endpoint a kind, each with its own fields and groups.

https://platform.openai.com/docs/api-reference/usage
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from exporter.http_client import HttpClient
from exporter.records import UsageBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import count, counts, from_unix, text, texts
from exporter.sources.providers.openai.buckets import Page, buckets

RHYTHM = Rhythm(
    bucket=HOUR,
    reread=3 * HOUR,
    reread_daily=4 * DAY,
    at_most=28 * DAY,
    settled_after=timedelta(minutes=15),
)
_KEYED = ("model", "project_id", "user_id", "api_key_id")
# Kind of usage → what it may be grouped by.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "completions": (*_KEYED, "batch", "service_tier"),
    "embeddings": _KEYED,
    "moderations": _KEYED,
    "images": (*_KEYED, "size", "source"),
    "audio_speeches": _KEYED,
    "audio_transcriptions": _KEYED,
    "vector_stores": ("project_id",),
    "code_interpreter_sessions": ("project_id",),
    "file_search_calls": ("project_id", "user_id", "api_key_id"),
    "web_search_calls": (*_KEYED, "context_level"),
    "decisions": (*_KEYED, "batch", "service_tier"),
}
# OpenAI's field → the quantity that prices know it by.
_QUANTITIES = {
    "input_audio_tokens": "input_audio_tokens",
    "input_cached_audio_tokens": "cache_audio_read_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "input_image_tokens": "input_image_tokens",
    "input_cached_image_tokens": "cache_image_read_tokens",
    "output_image_tokens": "output_image_tokens",
    "images": "images",
    "characters": "input_characters",
    "seconds": "input_audio_seconds",
    "usage_bytes": "stored_bytes",
    "num_sessions": "sessions",
}
_SEARCHES = {"web_search_calls": "web_searches", "file_search_calls": "storage_searches"}


class _Bucket(msgspec.Struct):
    start_time: int
    results: list[dict[str, Any]]


def read_usage(http: HttpClient, source: str, kind: str, span: Span) -> list[UsageBucket]:
    """Read one kind of usage; a bucket under way is told as far as it is."""
    found = buckets(
        http,
        f"organization/usage/{kind}",
        span,
        width="1h",
        group_by=GROUPS[kind],
        into=Page[_Bucket],
    )
    return [
        _usage_bucket(source, kind, from_unix(bucket.start_time), row)
        for bucket in found
        for row in bucket.results
    ]


def _usage_bucket(source: str, kind: str, at: datetime, row: dict[str, Any]) -> UsageBucket:
    tier = "batch" if row.get("batch") is True else text(row, "service_tier")
    quantities = counts(row, _QUANTITIES)
    for modality in ("audio", "image"):  # those told as input are the uncached ones only
        cached = quantities.get(f"cache_{modality}_read_tokens", 0)
        if cached:
            name = f"input_{modality}_tokens"
            quantities[name] = quantities.get(name, 0) + cached
    searches = _SEARCHES.get(kind)
    if searches is not None:
        quantities |= counts(row, {"num_requests": searches})
    return UsageBucket(
        source=source,
        provider="openai",
        report=kind,
        bucket_start=at,
        bucket_seconds=3600,
        model=text(row, "model"),
        project_id=text(row, "project_id"),
        api_key_id=text(row, "api_key_id"),
        user_id=text(row, "user_id"),
        service_tier=tier,
        dimensions=texts(row, ("size", "source", "context_level")),
        # Requests that search are counted with the completions already.
        requests=None if searches else count(row, "num_model_requests"),
        input_tokens=count(row, "input_tokens"),
        cached_input_tokens=count(row, "input_cached_tokens"),
        cache_write_tokens=count(row, "input_cache_write_tokens"),
        output_tokens=count(row, "output_tokens"),
        quantities=quantities,
    )
