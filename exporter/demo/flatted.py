"""Flatted: the JSON text in which n8n keeps run data, with shared and cyclic references.

The text is one array. Element 0 is the root; inside an element every string is the decimal index
of another element, while numbers, booleans and null stand for themselves. Elements are numbered
breadth first, equal strings and identical objects once: the same text that the JavaScript library
writes.

Source: WebReflection/flatted, esm/index.js.
"""

from typing import Any

from msgspec import json

_encoder = json.Encoder()


def encode(root: Any) -> str:
    """Return `root` (dicts, lists, strings, numbers, booleans and None) as flatted text.

    Objects are shared by identity and may refer to themselves; strings are shared by value.
    """
    queue: list[Any] = [root]
    # The queue keeps every object alive, so an id cannot be reused while we encode.
    seen_objects = {id(root): "0"}
    seen_strings = {root: "0"} if isinstance(root, str) else {}

    def reference(value: Any) -> Any:
        kind = type(value)
        if kind is str:
            index = seen_strings.get(value)
            if index is None:
                index = seen_strings[value] = str(len(queue))
                queue.append(value)
            return index
        if kind is dict or kind is list:
            index = seen_objects.get(id(value))
            if index is None:
                index = seen_objects[id(value)] = str(len(queue))
                queue.append(value)
            return index
        return value

    elements: list[Any] = []
    # `queue` grows while it is walked: that is the breadth-first order.
    for value in queue:
        kind = type(value)
        if kind is dict:
            elements.append({key: reference(item) for key, item in value.items()})
        elif kind is list:
            elements.append([reference(item) for item in value])
        else:
            elements.append(value)
    return _encoder.encode(elements).decode()
