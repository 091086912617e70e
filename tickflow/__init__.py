"""What the three scripts share. One tick's way, by file name:

    sources/      simulator.py, replay.py, alpha_vantage.py    a source makes a Tick
    tick.py                                                    its JSON form, its rules, the reasons for refusal
    ticklog/      base.py, kafka.py, embedded.py               the log keeps it as a Record, by partition and offset
    deadletters.py                                             where a refused record goes, with its reason
    windows.py                                                 the last ticks of its symbol
    metrics.py, detectors.py                                   the formulas over them, and the anomaly rule
    points.py                                                  what is stored of it, and under which time
    store/        base.py, influx.py, embedded.py              the store keeps the Point
    dashboard/    refresh.py, figures.py, page.py              rows become figures, figures a page

Beside that way: restore.py (what a restart replays), counters.py (what was done), console.py (what people read in
the terminal), stack.py (which log, which store), process.py and backoff.py (how a script starts, waits and stops),
errors.py. Nothing here imports `config` or the scripts: it takes plain values.
"""
