"""What node runs received, gave on and failed with, as text: no more than there is use for."""

import json
from collections.abc import Iterator, Mapping, Sequence

from exporter.content import CUT_MARK
from exporter.records import Json
from exporter.sources.workflows.n8n.json_writer import HIDDEN, SECRET_NAMES, JsonWriter
from exporter.sources.workflows.n8n.run_data import NodeRun, RunData

LONGEST_TEXT = 32_000
"""Characters of one text; what is kept of it is a setting, and less."""
LONGEST_PARAMETERS = 4_000
LONGEST_STACK = 4_000
_SHORT_TEXT = 2_000
_MAIN = "main"
# A model's prompt and answer are kept with its call; an embedding's numbers tell nobody anything.
_TOLD_BY_CALLS = "ai_languageModel"
_NUMBERS = "ai_embedding"
_NOT_TOLD = ("json", "binary", "pairedItem")


class RunContent:
    """Texts of one execution's node runs.

    Texts that repeat each other can be many times as long as the run data, where each stands once:
    beyond eight times its size they are written short.
    """

    def __init__(self, data: RunData) -> None:
        self._data = data
        self._left = 8 * data.document.characters + 8 * LONGEST_TEXT
        self._outputs: dict[str, str | None] = {}

    def input_of(self, run: NodeRun) -> str | None:
        """Return what a run received; None where it is all that the one step before it gave on."""
        document = self._data.document
        override = document.mapping(run.task, "inputOverride")
        if override:
            connection = next(iter(override))
            if connection == _TOLD_BY_CALLS:
                return None
            return self._written({"": document.get(override, connection, 0)})
        sources = list(self._sources(run))
        if len(sources) == 1 and sources[0][2] == 1:
            return None
        return self._written({name: items for name, items, _ in sources}) if sources else None

    def output_of(self, run: NodeRun) -> str | None:
        """Return what a run gave on; None where it came to nothing."""
        if run.step_id not in self._outputs:
            self._outputs[run.step_id] = self._output(run)
        return self._outputs[run.step_id]

    def _output(self, run: NodeRun) -> str | None:
        document = self._data.document
        outputs = document.mapping(run.task, "data")
        connection = _MAIN if _MAIN in outputs else next(iter(outputs), None)
        if connection is None or connection in (_TOLD_BY_CALLS, _NUMBERS):
            return None
        lists = list(document.items(outputs, connection)) or [None]
        if len(lists) == 1:
            return self._written({"": lists[0]})
        return self._written({str(place): items for place, items in enumerate(lists)})

    def of_execution(self) -> tuple[str | None, str | None]:
        """Return what the execution began with and what came of it."""
        runs = self._data.node_runs
        first = next((run for run in runs if self._begins(run)), None)
        last = next((run for run in reversed(runs) if run.node == self._data.last_node), None)
        return (
            None if first is None else self.output_of(first),
            None if last is None else self.output_of(last),
        )

    def _begins(self, run: NodeRun) -> bool:
        document = self._data.document
        return document.text(run.task, "source", 0, "previousNode") is None and (
            _MAIN in document.mapping(run.task, "data")
        )

    def _sources(self, run: NodeRun) -> Iterator[tuple[str, Json, int]]:
        """Yield each step before by name, what it gave this one, and how many outputs it has."""
        document = self._data.document
        for source in document.items(run.task, "source"):
            name = document.text(source, "previousNode")
            if name is None:
                continue
            run_index = int(document.number(source, "previousNodeRun") or 0)
            output = int(document.number(source, "previousNodeOutput") or 0)
            lists = document.get(
                document.root, "resultData", "runData", name, run_index, "data", _MAIN
            )
            outputs = len(lists) if isinstance(lists, list) else 0
            yield name, document.get(lists, output), outputs

    def _written(self, lists: Mapping[str, Json]) -> str:
        """Write lists of items; one alone goes without a name."""
        writer = JsonWriter(self._data.document, LONGEST_TEXT if self._left > 0 else _SHORT_TEXT)
        for place, (name, items) in enumerate(lists.items()):
            if "" not in lists:
                writer.put("," if place else "{")
                writer.value(name)
                writer.put(":")
            self._write_items(writer, items if isinstance(items, list) else [])
        writer.put("" if "" in lists else "}")
        text = writer.text()
        self._left -= len(text)
        return text + CUT_MARK if writer.is_cut else text

    def _write_items(self, writer: JsonWriter, items: Sequence[Json]) -> None:
        document = self._data.document
        for place in range(len(items)):
            writer.put("," if place else "[")
            item = document.get(list(items), place)
            writer.value(self._told(item) if isinstance(item, dict) else item)
            if writer.is_cut:
                return
        writer.put("]" if items else "[]")

    def _told(self, item: dict[str, Json]) -> Json:
        """Return an item's data, beside it what else it has, but never the bytes of a file."""
        document = self._data.document
        files = document.mapping(item, "binary")
        others = {key: item[key] for key in item if key not in _NOT_TOLD and item[key] is not None}
        if "json" in item and not files and not others:
            return document.get(item, "json")
        told = {key: item[key] for key in ("json",) if key in item} | others
        if files:
            told["binary"] = {
                name: {
                    key: value
                    for key, value in document.mapping(files, name).items()
                    if key != "data"
                }
                for name in files
            }
        return told


def failure_attributes(data: RunData, run: NodeRun) -> dict[str, Json]:
    """Return the stack of a run's error, and the parameters that it ran with."""
    error = data.document.mapping(run.task, "error")
    if not error:
        return {}
    found: dict[str, Json] = {}
    if stack := data.document.text(error, "stack"):
        found["error_stack"] = stack[:LONGEST_STACK]
    if run.parameters:
        try:
            parameters = json.dumps(_without_secrets(run.parameters), ensure_ascii=False)
        except RecursionError:
            return found
        is_long = len(parameters) > LONGEST_PARAMETERS
        found["parameters"] = parameters[:LONGEST_PARAMETERS] + (CUT_MARK if is_long else "")
    return found


def _without_secrets(parameters: Json) -> Json:
    """Hide what stands under the name of a secret, also in pairs of {name, value}."""
    match parameters:
        case dict():
            name = parameters.get("name")
            is_pair = isinstance(name, str) and name.lower() in SECRET_NAMES
            return {
                key: HIDDEN
                if key.lower() in SECRET_NAMES or (is_pair and key == "value")
                else _without_secrets(value)
                for key, value in parameters.items()
            }
        case list():
            return [_without_secrets(value) for value in parameters]
        case _:
            return parameters
