"""6,000 trades to replay: real ones if their file is there, else seeded ones of the same number and shape."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "us_equity_trades_2013-10-07_open.csv"
ROWS = 6_000
COLUMNS = "timestamp,symbol,price,volume"
OPENING = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
SHARES = {"SPY": 3756, "BAC": 1603, "IBM": 390, "AIG": 251}
PRICES = {"SPY": 167.41, "BAC": 13.91, "IBM": 181.86, "AIG": 48.55}
SAME_MILLISECOND = 0.45


def source() -> str:
    """A description of the trades that the tests replay."""
    return f"real ({REAL.name})" if REAL.is_file() else "generated (seeded; no ../shared/data here)"


def write_generated(path: Path, seed: int = 7) -> None:
    """Write seeded trades that resemble the real ones: many share a millisecond, prices move by cents."""
    rng = random.Random(seed)
    prices = dict(PRICES)
    time = OPENING
    lines = [COLUMNS]
    for _ in range(ROWS):
        if rng.random() >= SAME_MILLISECOND:
            time += timedelta(milliseconds=1 + int(rng.expovariate(1 / 30)))
        symbol = rng.choices(list(SHARES), weights=list(SHARES.values()))[0]
        prices[symbol] = round(max(1.0, prices[symbol] + rng.choice((-0.01, 0, 0, 0, 0.01))), 2)
        volume = rng.choice((100, 100, 100, 200, 300, 500, rng.randint(1, 5000)))
        stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines.append(f"{stamp},{symbol},{prices[symbol]:.2f},{volume}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
