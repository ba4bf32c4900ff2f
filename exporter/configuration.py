"""A YAML file or the environment → settings; every mistake is named with place and remedy."""

import difflib
import os
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from exporter.consistency import contradictions, told_twice
from exporter.errors import ConfigurationError
from exporter.settings import Settings, SourceSettings

Kinds = Mapping[str, type[SourceSettings]]
"""Source kind → the settings it takes."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice, which YAML would silently resolve."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node)
        if not isinstance(key, Hashable):
            raise yaml.MarkedYAMLError(
                problem="a key must be plain text; quote what stands in {{ … }}",
                problem_mark=key_node.start_mark,
            )
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: Path | None, kinds: Kinds, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the configuration file, or without one build the common case from the environment.

    Raises:
        ConfigurationError: one line per mistake, each with file, path and remedy.
    """
    if path is None:
        return parse(_from_environment(kinds, environ), kinds, environ, place="environment")
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # a SafeLoader
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{path}{where}: not valid YAML: {error.problem}") from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path}: holds a date or number that cannot be: {error}"
        ) from error
    except yaml.YAMLError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"{path}: not valid YAML: {reason}") from error
    return parse({} if document is None else document, kinds, environ, place=str(path))


def _is_set(name: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _common(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What variables say of database, web and receivers; a file may say otherwise."""
    database: dict[str, Any] = {}
    if _is_set("AIWF_DATABASE_URL", environ):
        database["url"] = {"env": "AIWF_DATABASE_URL"}
    if _is_set("AIWF_DASHBOARD_PASSWORD", environ):
        database["dashboard_password"] = {"env": "AIWF_DASHBOARD_PASSWORD"}
    web: dict[str, Any] = {}
    if environ.get("AIWF_LISTEN"):
        web["listen"] = environ["AIWF_LISTEN"]
    if _is_set("AIWF_TOKEN", environ):
        web["token"] = {"env": "AIWF_TOKEN"}
    receivers: dict[str, Any] = {}
    if environ.get("AIWF_FORWARD_TRACES_TO"):
        target = {"name": "forward", "url": environ["AIWF_FORWARD_TRACES_TO"]}
        receivers["traces"] = {"forward": [target]}
    return {"database": database, "web": web, "receivers": receivers}


def _from_environment(kinds: Kinds, environ: Mapping[str, str]) -> dict[str, Any]:
    sources: list[dict[str, Any]] = [
        {"name": kind, "kind": kind}
        | {
            field: {"env": name}
            if _holds_secret(model.model_fields[field].annotation)
            else environ.get(name, "")
            for field, name in model.from_environment.items()
        }
        for kind, model in kinds.items()
        if model.from_environment
        and all(_is_set(name, environ) for name in model.from_environment.values())
    ]
    for source in sources:
        for field, name in kinds[str(source["kind"])].also_from_environment.items():
            if environ.get(name):
                source[field] = environ[name]
    return {"database": {"url": {"env": "AIWF_DATABASE_URL"}}, "sources": sources}


def _holds_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def parse(document: object, kinds: Kinds, environ: Mapping[str, str], *, place: str) -> Settings:
    """Turn a parsed document into settings; `place` begins each message.

    Raises:
        ConfigurationError: one line per mistake.
    """
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"{place}: the top level must be a mapping; known: {_known(Settings)}"
        )
    mistakes: list[str] = []
    # `web:` with every line below it commented out is an empty mapping.
    document = {
        str(key): ([] if key in _LISTS else {}) if value is None else value
        for key, value in document.items()
    }
    for key, said in _common(environ).items():
        written = document.get(key, {})
        if said and isinstance(written, dict):
            document[key] = said | written
    entries = document.get("sources", [])
    if not isinstance(entries, list):
        mistakes.append("sources: must be a list of sources")
        entries = []
    sources = tuple(
        source
        for index, entry in enumerate(entries)
        if (source := _source(index, entry, kinds, environ, mistakes)) is not None
    )
    mistakes.extend(told_twice(sources))
    try:
        settings = Settings.model_validate(
            {**document, "sources": sources}, context={"environ": environ}
        )
    except ValidationError as error:
        mistakes.extend(_messages(error, Settings, ""))
    else:
        mistakes.extend(contradictions(settings))
    if mistakes:
        raise ConfigurationError("\n".join(f"{place}: {mistake}" for mistake in mistakes))
    return settings


def _source(
    index: int, entry: object, kinds: Kinds, environ: Mapping[str, str], mistakes: list[str]
) -> SourceSettings | None:
    if not isinstance(entry, dict):
        mistakes.append(f"sources.{index}: must be a mapping with name and kind")
        return None
    place = f"sources.{entry.get('name') or index}"
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        problem = "missing key 'kind'" if kind is None else f"unknown kind {kind!r}"
        mistakes.append(f"{place}: {problem}; known: {', '.join(sorted(kinds))}")
        return None
    try:
        return kinds[kind].model_validate(entry, context={"environ": environ})
    except ValidationError as error:
        mistakes.extend(_messages(error, kinds[kind], f"{place}."))
        return None


_LISTS = {
    name for name, field in Settings.model_fields.items() if get_origin(field.annotation) is tuple
}
_NEEDS_MAPPING = "must be a mapping"
_NEEDS_DAY = "must be a day, for example 2026-01-31"
_IN_WORDS = {
    "model_type": _NEEDS_MAPPING,
    "model_attributes_type": _NEEDS_MAPPING,
    "dict_type": _NEEDS_MAPPING,
    "tuple_type": "must be a list",
    "string_type": "must be text; quote it if it is a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "date_type": _NEEDS_DAY,
    "date_parsing": _NEEDS_DAY,
    "date_from_datetime_parsing": _NEEDS_DAY,
    "date_from_datetime_inexact": _NEEDS_DAY,
}


def _messages(error: ValidationError, model: type[BaseModel], prefix: str) -> Iterator[str]:
    for detail in error.errors(include_url=False, include_input=False):
        loc = [part for part in detail["loc"] if part != "[key]"]  # pydantic's mark of a wrong key
        *parents, last = loc or ("",)
        place = (prefix + ".".join(map(str, parents))).rstrip(".")
        at = f"{place}: " if place else ""
        full = (prefix + ".".join(map(str, loc))).rstrip(".")
        if detail["type"] == "extra_forbidden":
            known = _model_at(model, parents)
            close = difflib.get_close_matches(str(last), _keys(known), 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            yield f"{at}unknown key {str(last)!r}{hint}; known: {_known(known)}"
        elif detail["type"] == "missing":
            yield f"{at}missing key {str(last)!r}"
        else:
            text = _IN_WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, "))
            if text is _NEEDS_MAPPING:
                text += f"; known: {_known(_model_at(model, [*parents, last]))}"
            yield f"{full}: {text[0].lower()}{text[1:]}" if full else text


def _keys(model: type[BaseModel]) -> list[str]:
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _known(model: type[BaseModel]) -> str:
    return ", ".join(_keys(model))


def _model_at(model: type[BaseModel], path: list[int | str]) -> type[BaseModel]:
    """Follow field names down to the model that holds the last key of an error's place."""
    for part in path:
        if isinstance(part, int):
            continue
        model = next(_models_in(model.model_fields[part].annotation))
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def json_schema(kinds: Kinds) -> dict[str, Any]:
    """The configuration as JSON schema, for editors."""
    schema = Settings.model_json_schema()
    branches = []
    for kind, model in kinds.items():
        branch = model.model_json_schema(ref_template="#/$defs/{model}")
        schema.setdefault("$defs", {}).update(branch.pop("$defs", {}))
        branch["properties"]["kind"] = {"const": kind}
        branch["required"] = sorted({*branch.get("required", ()), "kind"})
        branches.append(branch)
    schema["required"] = [name for name in schema["required"] if name != "database"]
    schema["properties"]["sources"]["items"] = {"oneOf": branches}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
