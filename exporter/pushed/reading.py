"""Bodies → what they tell."""

from exporter.errors import BadRequestError


def read_executions(body: bytes, is_lines: bool):  # type: ignore[no-untyped-def]
    """Stand-in; see Told in exporter/receivers/pushes.py for what is to be returned."""
    raise BadRequestError("not yet")


def read_outcomes(body: bytes, is_lines: bool):  # type: ignore[no-untyped-def]
    """Stand-in; see Told in exporter/receivers/pushes.py for what is to be returned."""
    raise BadRequestError("not yet")
