"""OpenAI's kinds of usage: what each may be grouped and filtered by, and what it counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.demo.providers.ledger import Row

_CALLER = ("project_id", "user_id", "api_key_id")
_CALLER_AND_MODEL = (*_CALLER, "model")
_COMPLETIONS = (*_CALLER_AND_MODEL, "batch", "service_tier", "api_source")

FILTERS = {
    "project_ids": "project_id",
    "user_ids": "user_id",
    "api_key_ids": "api_key_id",
    "models": "model",
    "sizes": "size",
    "sources": "source",
    "vector_store_ids": "vector_store_id",
    "context_levels": "context_level",
}
_USUAL_FILTERS = ("project_ids", "user_ids", "api_key_ids", "models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of usage."""

    result: str  # the `object` of its results
    group_by: tuple[str, ...]
    filters: tuple[str, ...] = _USUAL_FILTERS
    counts: Callable[[Row], Mapping[str, int]]


def _completions(row: Row) -> dict[str, int]:
    written = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    return {
        "num_model_requests": row.requests,
        "input_tokens": row.input_tokens,
        "input_cached_tokens": row.cached_input_tokens,
        "input_cache_write_tokens": written,
        # The ledger knows a short and a long-lived cache; these are OpenAI's.
        "input_cache_write_30m_tokens": row.cache_write_5m_tokens,
        "input_cache_write_12h_tokens": row.cache_write_1h_tokens,
        "input_uncached_tokens": row.uncached_input_tokens,
        "output_tokens": row.output_tokens,
        "input_text_tokens": row.uncached_input_tokens,
        "output_text_tokens": row.output_tokens,
        "input_cached_text_tokens": row.cached_input_tokens,
        "input_audio_tokens": 0,
        "input_cached_audio_tokens": 0,
        "output_audio_tokens": 0,
        "input_image_tokens": 0,
        "input_cached_image_tokens": 0,
        "output_image_tokens": 0,
    }


def _embeddings(row: Row) -> dict[str, int]:
    return {"input_tokens": row.input_tokens, "num_model_requests": row.requests}


def _quantity(name: str) -> Callable[[Row], dict[str, int]]:
    return lambda row: {name: row.quantities.get(name, 0)}


def _quantity_and_requests(name: str) -> Callable[[Row], dict[str, int]]:
    return lambda row: {name: row.quantities.get(name, 0), "num_model_requests": row.requests}


def _file_searches(row: Row) -> dict[str, int]:
    return {"num_requests": row.quantities.get("num_requests", row.requests)}


def _web_searches(row: Row) -> dict[str, int]:
    return {**_file_searches(row), "num_model_requests": row.requests}


KINDS: Mapping[str, Kind] = {
    "completions": Kind(
        result="completions",
        group_by=_COMPLETIONS,
        filters=(*_USUAL_FILTERS, "batch"),
        counts=_completions,
    ),
    "decisions": Kind(
        result="decisions",
        group_by=_COMPLETIONS,
        filters=(*_USUAL_FILTERS, "batch"),
        counts=_completions,
    ),
    "embeddings": Kind(result="embeddings", group_by=_CALLER_AND_MODEL, counts=_embeddings),
    "moderations": Kind(result="moderations", group_by=_CALLER_AND_MODEL, counts=_embeddings),
    "images": Kind(
        result="images",
        group_by=(*_CALLER_AND_MODEL, "size", "source"),
        filters=(*_USUAL_FILTERS, "sizes", "sources"),
        counts=_quantity_and_requests("images"),
    ),
    "audio_speeches": Kind(
        result="audio_speeches",
        group_by=_CALLER_AND_MODEL,
        counts=_quantity_and_requests("characters"),
    ),
    "audio_transcriptions": Kind(
        result="audio_transcriptions",
        group_by=_CALLER_AND_MODEL,
        counts=_quantity_and_requests("seconds"),
    ),
    "vector_stores": Kind(
        result="vector_stores",
        group_by=("project_id",),
        filters=("project_ids",),
        counts=_quantity("usage_bytes"),
    ),
    "code_interpreter_sessions": Kind(
        result="code_interpreter_sessions",
        group_by=("project_id",),
        filters=("project_ids",),
        counts=_quantity("num_sessions"),
    ),
    "file_search_calls": Kind(
        result="file_searches",  # not the path's name
        group_by=(*_CALLER, "vector_store_id"),
        filters=("project_ids", "user_ids", "api_key_ids", "vector_store_ids"),
        counts=_file_searches,
    ),
    "web_search_calls": Kind(
        result="web_searches",
        group_by=(*_CALLER_AND_MODEL, "context_level", "api_source"),
        filters=(*_USUAL_FILTERS, "context_levels"),
        counts=_web_searches,
    ),
}
