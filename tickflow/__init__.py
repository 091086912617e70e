"""What the three scripts share. The folders, in the order in which one tick passes through them:

    sources/     make ticks: simulated, replayed, or real quotes        (stock_producer.py)
    ticks/       a tick: its JSON form, its rules, reasons for refusal
    ticklog/     keeps ticks as records: kafka/ or sqlite/
    worker/      reads records, and commits what is stored              (stock_analytics.py)
    metrics/     windows, formulas and detectors; the points they give
    store/       keeps points: influx/ or sqlite/
    verbs/       what else the analytics script can do: audit, status
    dashboard/   queries/ read rows, drawing/ makes them a page         (stock_dashboard.py)

Beside that way:

    settings/    what a setting's text has to look like
    telemetry/   what each script reports to whoever operates it

Nothing here imports `config` or the scripts: it takes plain values. `stack.py` chooses the log and the store.
"""
