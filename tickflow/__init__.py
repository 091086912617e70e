"""What the three scripts share. The folders, in the order in which one tick passes through them:

    sources/     produce ticks: simulated, replayed, or real quotes     (stock_producer.py)
    ticks/       a tick: its JSON form, its rules, the reasons for refusal
    ticklog/     keeps ticks as records: kafka/ or sqlite/
    worker/      reads records, commits what is stored                  (stock_analytics.py)
    metrics/     fields, windows, formulas, detectors; the points they produce
    alerts/      turns anomalies into a few alerts: episodes, budget, rules
    store/       keeps points: influx/ or sqlite/
    dashboard/   queries/ read rows, drawing/ turns them into a page    (stock_dashboard.py)

Beside that path:

    verbs/       the other jobs of the worker script: status, dead-letters, audit
    settings/    the kinds of settings: addresses, certificates, the .env file, files with secrets
    recording    records a topic as Parquet files; `read` is for researchers
    sessions     the trading hours of an exchange: holidays, half days, clock changes
    telemetry/   what each script reports to its operator: metrics and health

Nothing here imports `config` or the scripts: these modules take plain values. `stack.py` chooses the log and the store.
"""

from typing import Any


def read(*arguments: Any, **named: Any) -> Any:
    """Read a recording or a store as one table: see `tickflow.recording.read`."""
    from tickflow import recording  # slow to import, and most scripts do not need it

    return recording.read(*arguments, **named)
