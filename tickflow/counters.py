"""What a worker has done since its start, in numbers that add up.

Per partition, at any quiet moment: committed - start = accepted + refused + lost gap, and
accepted = stored + refused by the store + expired.
"""

from collections import Counter
from dataclasses import dataclass, field

from tickflow.tick import TickBatch

MAX_GAP = 2**53
"""The most that one gap counts: a `seq` may have thousands of digits, too many for Python to show their sum."""


@dataclass(slots=True)
class Counters:
    """Records and ticks by what became of them.

    `accepted` ticks became points; `refused` records went to the dead-letter topic, by reason. `stored`,
    `refused_by_store` and `expired` divide the accepted. `lost` records and `cold` ones were gone from the log
    (see `restore`). `late` ticks were older than one before them, `naive` ones had no zone. `gaps` counts ticks that
    a producer numbered but that never came, `repeats` those that came again.
    """

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    refused_by_store: int = 0
    expired: int = 0
    lost: int = 0
    cold: int = 0
    late: int = 0
    naive: int = 0
    gaps: int = 0
    repeats: int = 0


class Arrivals:
    """Diagnoses the ticks of one partition: late ones, and gaps and repeats in the producers' own numbers."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._numbered: dict[str, tuple[str, int]] = {}

    def diagnose(self, ticks: TickBatch, counters: Counters, begin: int = 0) -> None:
        """Count into `counters` what is noteworthy among the ticks from index `begin` on; the others only teach."""
        late = gaps = repeats = 0
        newest, numbered = self._newest, self._numbered
        columns = zip(ticks.symbols, ticks.time_us.tolist(), ticks.producers, ticks.seqs, strict=True)
        for index, (symbol, time_us, producer, seq) in enumerate(columns):
            if time_us < newest.get(symbol, time_us):
                late += index >= begin
            else:
                newest[symbol] = time_us
            if producer is None or seq is None:
                continue
            known, last = numbered.get(symbol, (producer, seq - 1))
            if known != producer:
                last = seq - 1
            if index >= begin:
                gaps += min(max(seq - last - 1, 0), MAX_GAP)
                repeats += seq <= last
            numbered[symbol] = (producer, max(seq, last))
        counters.late += late
        counters.gaps += gaps
        counters.repeats += repeats
        counters.naive += ticks.naive if begin == 0 else 0
