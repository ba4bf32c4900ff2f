"""Which attributes hold what people or models wrote."""

_KEYS = frozenset(
    {"gen_ai.input.messages", "gen_ai.output.messages", "input.value", "output.value"}
)


def is_content(key: str) -> bool:
    """Whether the attribute holds prose."""
    return key in _KEYS
