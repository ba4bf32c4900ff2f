"""JSON schemas of what programs may tell, for the documentation of the routes."""

from typing import Any

from exporter.pushed.said import SaidExecution, SaidOutcome


def executions_schema() -> dict[str, Any]:
    """One execution, or a list of them."""
    return _one_or_many(SaidExecution)


def outcomes_schema() -> dict[str, Any]:
    """One outcome, or a list of them."""
    return _one_or_many(SaidOutcome)


def _one_or_many(model: type[SaidExecution | SaidOutcome]) -> dict[str, Any]:
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    one = _inlined(schema, parts)
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _inlined(node: Any, parts: dict[str, Any]) -> Any:
    """Put definitions where they are referred to: a fragment has no place for them.

    Titles that only repeat a name, and defaults that say nothing, are left out.
    """
    match node:
        case {"$ref": str(name), **others}:
            return _inlined({**parts[name.rpartition("/")[2]], **others}, parts)
        case dict():
            return {
                key: _inlined(child, parts)
                for key, child in node.items()
                if key != "title" and (key, child) != ("default", None)
            }
        case list():
            return [_inlined(child, parts) for child in node]
        case _:
            return node
