"""What the three scripts share. One tick's way, by file name:

    stock_producer.py
        sources/    simulator.py, replay.py, alpha_vantage.py   a source makes a Tick
        tick.py, reasons.py                                     its JSON form, its rules, the reasons for refusal
        ticklog/    kafka.py or embedded.py                     the log keeps it as a Record, by partition and offset
    stock_analytics.py
        assignments.py                                          which partitions are this worker's to read
        windows.py                                              the last ticks of its symbol
        metrics.py, detectors.py                                the formulas over them, and the anomaly rule
        points.py                                               what is stored of it, and under which time
        store/      influx.py or embedded.py                    the store keeps the Point
    stock_dashboard.py
        dashboard/  refresh.py, figures.py, page.py             rows become figures, figures a page

Beside that way, for all of it:

    stack.py                                                    which log and which store: the choice of STACK
    sources/base.py, ticklog/base.py, store/base.py             what each of these can do, whichever it is
    process.py, backoff.py                                      how a script starts, waits and stops
    errors.py                                                   everything that can go wrong on purpose
    addresses.py, env_file.py                                   what an address is, and how a .env is read

for the worker:

    deadletters.py, restore.py                                  where a refused record goes; what a restart replays
    batch.py                                                    what one poll became, up to its commit
    holdup.py                                                   what a worker waits for, and how
    history.py                                                  the newest prices of each symbol, for people
    counters.py, arrivals.py, summary.py                        what was done, and what was seen of each symbol
    console.py, wording.py                                      when people read of it in the terminal, and how

for its other verbs:

    verbs.py                                                    which there are, and their flags
    statuses.py, letters.py                                     what the workers said, and what they refused
    audit.py, expected.py                                       whether the store holds what the log says it must

and below:

    sources/    new_york.py                                     the exchange's hours, for real quotes
    ticklog/    kafka_cluster.py, kafka_network.py              reaching Kafka
                kafka_topics.py                                 making the topics
                kafka_writer.py, kafka_reader.py                publishing, and being a member of a group
                kafka_partitioner.py                            which partition a record goes to
                kafka_rebalances.py                             what happened to a member's assignment
                kafka_records.py                                records out of fetched batches, quickly
                kafka_scanner.py                                reading as nobody's member
                embedded_file.py                                the log's tables in the SQLite file
    store/      influxql.py, point_rows.py, visibility.py       asking InfluxDB, and waiting until points are whole
                parts.py, answers.py                            requests to it, and what its refusals mean
                acks.py, influx_acks.py, embedded_acks.py       which alerts have been seen
                latest.py, influx_latest.py, embedded_latest.py the newest points, kept between two reads
                digest.py, influx_digest.py, embedded_digest.py a long range in few of its points
                influx_preceded.py, embedded_anomalies.py       anomalies, and which of them follow one
    sqlite.py                                                   the one file of the embedded stack
    dashboard/  app.py, callbacks.py, ids.py, server.py         the page with its callbacks, put together and served
                view.py, watched.py, watch_list.py              what a browser asks for; the watch list's rows and grid
                stage.py                                        the page's main part, with the chart
                multiples.py, deltas.py                         small charts of several symbols; rows not yet sent
                alerts.py                                       episodes of anomalies, and who has seen them
                security.py, gate.py                            what a request must be; the way to the store
                packed.py                                       the scripts of a first visit, compressed well
                state.py, ranges.py, clock.py                   freshness, ranges, exchange time

Nothing here imports `config` or the scripts: it takes plain values.
"""
