"""Limits how many symbols a partition may have, and how many sources a symbol may have: floods of names are refused.

The first `MAX_SYMBOLS` symbols of a partition, and the first `MAX_SOURCES` sources of each symbol, are known for good;
ticks with further names are refused. The order of the log decides, so a replay has the same result. Names are only ever
added: a reader that starts with the names of any earlier offset and reads on from there ends with the same names.
"""

from collections.abc import Iterable, Mapping

from tickflow.ticks.reasons import Reason
from tickflow.ticks.tick import Limits, Refused, TickBatch


class Names:
    """The known symbols of one partition, each with its known sources.

    >>> names = Names(Limits(max_symbols=1))
    >>> names.reason("AAPL", "replay"), names.reason("MSFT", "replay"), names.reason("AAPL", "replay")
    (None, <Reason.TOO_MANY_SYMBOLS: 'too_many_symbols'>, None)
    """

    def __init__(self, limits: Limits, known: Mapping[str, Iterable[str]] | None = None) -> None:
        self._limits = limits
        self.known = {symbol: set(sources) for symbol, sources in (known or {}).items()}
        self._new: list[str] = []
        self._pairs = {(symbol, source) for symbol, sources in self.known.items() for source in sources}

    def admit(self, ticks: TickBatch) -> tuple[TickBatch, list[Refused]]:
        """Learn the names of these ticks in order; return the ticks whose names are known or new within the limits, and
        the refused others.
        """
        if self._pairs.issuperset(zip(ticks.symbols, ticks.sources, strict=True)):
            return ticks, []
        reasons = [self.reason(*names) for names in zip(ticks.symbols, ticks.sources, strict=True)]
        if not any(reasons):
            return ticks, []
        kept = [at for at, reason in enumerate(reasons) if reason is None]
        return ticks.take(kept), [
            Refused(record, reason) for record, reason in zip(ticks.records, reasons, strict=True) if reason
        ]

    def take_new(self) -> list[str]:
        """The symbols that became known since the last call."""
        new, self._new = self._new, []
        return new

    def reason(self, symbol: str, source: str) -> Reason | None:
        """Why a tick with these names is refused, or `None` if it is accepted: then its names are known from now on."""
        if (symbol, source) in self._pairs:
            return None
        sources = self.known.get(symbol)
        if sources is None:
            if len(self.known) >= self._limits.max_symbols:
                return Reason.TOO_MANY_SYMBOLS
            sources = self.known[symbol] = set()
            self._new.append(symbol)
        elif len(sources) >= self._limits.max_sources:
            return Reason.TOO_MANY_SOURCES
        sources.add(source)
        self._pairs.add((symbol, source))
        return None
