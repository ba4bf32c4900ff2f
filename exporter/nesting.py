"""How deep JSON is nested, told before it is decoded."""

import re

_DEEPEST = 100
_NO_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^\[\]{}"]++', re.DOTALL)


def is_nested_too_deep(text: str) -> bool:
    """Whether to decode it would use up the stack, and break whatever is cleaned up meanwhile."""
    brackets = _NO_BRACKET.sub("", text)
    for _ in range(_DEEPEST):
        shorter = brackets.replace("[]", "").replace("{}", "")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return len(brackets) > _DEEPEST


def containers_in(text: str) -> int:
    """Return how many objects and lists JSON holds."""
    return len(_NO_BRACKET.sub("", text)) // 2
