"""Diagnoses how ticks arrived: late ticks, and gaps and repeats in the numbers that producers give them."""

from tickflow.ticks.tick import TickBatch
from tickflow.worker.counters import Tally

MAX_GAP = 2**53
"""The maximum number of ticks that one gap counts for: a `seq` may have thousands of digits, and Python refuses to
print such a number.
"""


class Arrivals:
    """Diagnoses the ticks of one partition, batch by batch."""

    def __init__(
        self, newest: dict[str, int] | None = None, numbered: dict[str, tuple[str, int]] | None = None
    ) -> None:
        self.newest = {} if newest is None else newest
        """The newest time of each symbol, in µs."""
        self.numbered = {} if numbered is None else numbered
        """The producer of each symbol's last numbered tick, and the highest number since it began."""

    def diagnose(self, ticks: TickBatch, tally: Tally, begin: int = 0) -> None:
        """Count in `tally` late ticks, gaps and repeats, starting at index `begin`; earlier ticks only update the
        state.
        """
        late = gaps = repeats = 0
        newest, numbered = self.newest, self.numbered
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
        tally.late += late
        tally.gaps += gaps
        tally.repeats += repeats
        tally.naive += sum(ticks.naive[begin:])
