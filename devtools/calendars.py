"""Writes tickflow/calendars/ from the library `exchange_calendars`: `make calendars`; a test compares them.

Per session, in arrays of NumPy: `gaps` (days since the session before, the first since 1970), and `before`, `opens` and
`closes` in minutes since midnight UTC of that day; `zone` is the exchange's time zone.
"""

import numpy as np

from tickflow.sessions import KEPT, from_library

MINUTE = 60 * 1_000_000_000


def main() -> None:
    """Write each file. Raises `ValueError` for a market that pauses at noon: its file would lack the pauses."""
    for market, path in KEPT.items():
        calendar = from_library(market)
        if (calendar.pauses > 0).any():
            raise ValueError(f"{market} has pauses")
        minutes = {
            name: getattr(calendar, name) // MINUTE - calendar.days * 1_440 for name in ("before", "opens", "closes")
        }
        path.parent.mkdir(exist_ok=True)
        np.savez_compressed(
            path,
            gaps=np.diff(calendar.days, prepend=0).astype(np.uint16),
            zone=np.array(calendar.zone),
            **{name: column.astype(np.uint16) for name, column in minutes.items()},
        )


if __name__ == "__main__":
    main()
