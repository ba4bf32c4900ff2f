"""Reading a table by rising id although ids do not commit in order."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.records import Json

PATIENCE = timedelta(minutes=15)
"""How long an id that was skipped is asked for; longer than any plausible transaction."""
MOST_MISSING = 1000


@dataclass
class IdWatermark:
    """The highest id read, and the lower ones that were not there yet.

    A sequence hands out ids before their rows commit, so a lower id can appear after a higher
    one was read. Each gap is remembered for `PATIENCE`, the newest `MOST_MISSING` of them.
    """

    last_id: int | None = None
    missing: dict[int, datetime] = field(default_factory=dict)

    @classmethod
    def restore(cls, state: Json) -> "IdWatermark":
        """Read what `state` wrote."""
        if not isinstance(state, dict) or not isinstance(state.get("last_id"), int):
            return cls()
        missing = state.get("missing")
        return cls(
            last_id=int(str(state["last_id"])),
            missing={
                int(key): datetime.fromisoformat(str(at))
                for key, at in (missing if isinstance(missing, dict) else {}).items()
            },
        )

    def state(self) -> Json:
        """Return what the cursor keeps."""
        return {
            "last_id": self.last_id,
            "missing": {str(key): at.isoformat() for key, at in sorted(self.missing.items())},
        }

    def advance(self, ids: Iterable[int], now: datetime) -> None:
        """Take note of ids read in rising order, and of the gaps between them."""
        for new_id in ids:
            self.missing.pop(new_id, None)
            last_id = self.last_id or 0
            first = max(last_id + 1, new_id - MOST_MISSING)
            self.missing.update(dict.fromkeys(range(first, new_id), now))
            self.last_id = max(last_id, new_id)
        for too_many in sorted(self.missing)[:-MOST_MISSING]:
            del self.missing[too_many]

    def went_back(self, newest_id: int) -> bool:
        """Follow a table whose ids begin again lower: restored from a backup, or rows deleted.

        Rows that are written anew above `newest_id` are then read, whatever ids they take.
        """
        if self.last_id is None or newest_id >= self.last_id:
            return False
        self.last_id = newest_id
        self.missing = {key: at for key, at in self.missing.items() if key < newest_id}
        return True

    def arrived(self, ids: Iterable[int], now: datetime) -> None:
        """Forget the gaps that were filled, and those that nobody fills any more."""
        for late_id in ids:
            self.missing.pop(late_id, None)
        for gone in [key for key, since in self.missing.items() if now - since > PATIENCE]:
            del self.missing[gone]
