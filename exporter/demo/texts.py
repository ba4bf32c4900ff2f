"""Plausible text and field values: prompts, answers and payloads as a company has them."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

# Rough length of a token in English prose; n8n's own estimates lie in the same place.
CHARACTERS_PER_TOKEN = 4.6

_SUBJECTS = (
    "The support team", "Our warehouse", "Every new customer", "The finance department",
    "A good onboarding", "The weekly review", "This release", "The integration", "A clear invoice",
    "The sales pipeline", "An automated check", "The quarterly plan", "The help centre",
    "Each delivery note", "A shared dashboard", "The renewal process",
)  # fmt: skip
_VERBS = (
    "reduces", "explains", "replaces", "needs", "supports", "delays", "simplifies", "depends on",
    "improves", "documents", "measures", "connects", "prevents", "requires", "shortens",
)  # fmt: skip
_OBJECTS = (
    "manual data entry", "the approval of larger orders", "open questions about billing",
    "the hand-over between shifts", "repeated requests for the same report",
    "the export to the accounting system", "late answers to customers", "duplicate records",
    "the search for older contracts", "returns that arrive without a label",
    "the first week with the product", "shipments across borders", "unclear responsibilities",
    "the comparison with last month", "exceptions in the price list",
)  # fmt: skip
_ENDINGS = (
    "because two systems disagree", "when the volume grows", "in most regions",
    "as soon as the data is complete", "without extra staff", "before the month closes",
    "if the template is kept up to date", "for teams of any size", "within one working day",
    "according to the last survey",
)  # fmt: skip
_TICKETS = (
    "The export stops at row 500 and shows no message.", "My invoice lists a seat we cancelled.",
    "Since this morning nobody can sign in with single sign-on.",
    "How do we change the billing address?", "The webhook delivers every event twice.",
    "We need the contract as PDF before Friday.", "The dashboard shows last week's numbers.",
)  # fmt: skip
_TOPICS = (
    "warehouse automation", "invoice approval", "onboarding checklists", "data quality",
    "customer portals", "shift planning", "returns management", "API integrations",
)  # fmt: skip
_INDUSTRIES = ("logistics", "retail", "manufacturing", "health care", "energy", "education")
_CATEGORIES = ("billing", "bug", "access", "question", "contract")
_PURPOSES = ("conference tickets", "a replacement laptop", "a team workshop", "market research")

_CORPUS_SENTENCES = 4_000


def _corpus() -> str:
    rng = Random("corpus")  # noqa: S311 - simulated text, not a secret
    return " ".join(
        f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.choice(_OBJECTS)} "
        f"{rng.choice(_ENDINGS)}."
        for _ in range(_CORPUS_SENTENCES)
    )


_CORPUS = _corpus()


def estimated_tokens(text: str) -> int:
    """Return about what a tokenizer would count."""
    return max(1, round(len(text) / CHARACTERS_PER_TOKEN))


def passage(rng: Random, tokens: int) -> str:
    """Return prose of about `tokens` tokens, ending on a whole word and a full stop."""
    length = round(tokens * CHARACTERS_PER_TOKEN)
    pieces = []
    while length > 0:
        start = rng.randrange(len(_CORPUS) // 2)
        start = _CORPUS.index(" ", start) + 1
        piece = _CORPUS[start : start + length]
        pieces.append(piece)
        length -= len(piece) + 1
    text = " ".join(pieces).rstrip(" .")
    return f"{text[:1].upper()}{text[1:]}."


def amount_eur(rng: Random) -> float:
    """Return an amount as invoices have it: many small ones, a few large ones."""
    return round(rng.lognormvariate(5.4, 0.9), 2)


_FIELDS: dict[str, Callable[[Random], Any]] = {
    "topic": lambda rng: rng.choice(_TOPICS),
    "ticket": lambda rng: rng.choice(_TICKETS),
    "plan": lambda rng: rng.choice(("starter", "team", "business")),
    "seats": lambda rng: rng.randint(3, 240),
    "purpose": lambda rng: rng.choice(_PURPOSES),
    "amount_eur": amount_eur,
    "revenue_eur": lambda rng: round(rng.uniform(60_000, 140_000), 2),
    "refunds_eur": lambda rng: round(rng.uniform(500, 4_000), 2),
    "rows": lambda rng: rng.randint(40, 4_000),
    "employees": lambda rng: round(rng.lognormvariate(5, 1.3)) + 1,
    "industry": lambda rng: rng.choice(_INDUSTRIES),
    "company": lambda rng: f"Company {rng.randint(100, 999)}",
    "category": lambda rng: rng.choice(_CATEGORIES),
    "urgency": lambda rng: rng.choice(("low", "normal", "normal", "high")),
    "summary": lambda rng: passage(rng, 12),
    "queue": lambda rng: f"queue-{rng.randint(1, 6)}",
    "invoice": lambda rng: f"INV-{rng.randint(20_000, 99_999)}",
    "vat_ok": lambda rng: rng.random() < 0.97,
    "invoice_text": lambda rng: f"Invoice INV-{rng.randint(20_000, 99_999)}, see items below.",
    "accepted": lambda _: True,
    "booked": lambda _: "yes",
}


def field_value(rng: Random, name: str) -> Any:
    """Return a value for a payload field; names ending in `_id` are identifiers."""
    if name in _FIELDS:
        return _FIELDS[name](rng)
    if name.endswith("_id"):
        return f"{name.removesuffix('_id')}-{rng.randrange(16**8):08x}"
    msg = f"no rule makes a value for the field {name!r}"
    raise KeyError(msg)


def compact_json(value: Any) -> str:
    """Return `value` as JavaScript's JSON.stringify writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
