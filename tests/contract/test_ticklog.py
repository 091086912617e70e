"""The contract that every tick log must meet; the test names spell it out."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.ticklogs import (
    SECONDS,
    Content,
    EmbeddedLogs,
    KafkaLogs,
    Logs,
    at,
    content,
    join,
    publish,
    read,
    stray,
)
from tickflow.errors import Stopped
from tickflow.ticklog.base import LOG_APPEND_TIME, Bounds, Commit

METADATA = '{"v":1,"restore":3}'


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def logs(request: pytest.FixtureRequest, tmp_path: Path, topic: str) -> Iterator[Logs]:
    if request.param == "kafka":
        logs: Logs = KafkaLogs(request.getfixturevalue("kafka_servers"), topic)
    else:
        logs = EmbeddedLogs(tmp_path / "data" / "log.db", topic)
    yield logs
    logs.close()


ODD_RECORDS = [
    Content(b"AAPL", b'{"price":1}'),
    Content(None, b"no key"),
    Content(b"AAPL", None),
    Content(None, None),
    Content(b"", b""),
    Content(b"\x00\xff", b"\xff\xfe not UTF-8 \x00"),
    Content(b"k", b"v", (("h", b"1"), ("h", b"\x00\xff"), ("é", b""))),
    Content(b"k", b"x" * 900_000),
]


def test_records_come_back_byte_for_byte_in_the_order_of_publishing(logs: Logs) -> None:
    writer = logs.open()
    for each in ODD_RECORDS:
        writer.publish(each.key, each.value, headers=each.headers)
    writer.flush(SECONDS)
    assert writer.acknowledged == len(ODD_RECORDS)

    reader = logs.reader()
    join(reader)
    reader.seek(0, 0)
    records = read(reader, len(ODD_RECORDS))

    assert [content(record) for record in records] == ODD_RECORDS
    assert [record.offset for record in records] == list(range(len(ODD_RECORDS)))


def test_a_receipt_confirms_that_its_record_is_in_the_log(logs: Logs) -> None:
    writer = logs.open()
    topic = writer.dead_letter_topic
    receipts = [writer.post(b"AAPL", b"%d" % number, [("h", b"1")], topic) for number in range(20)]
    writer.flush(SECONDS)
    assert all(receipt.is_acknowledged and not receipt.is_refused for receipt in receipts)
    found = [record for portion in writer.read(0, writer.bounds(0, topic), topic) for record in portion]
    assert [record.value for record in found] == [b"%d" % number for number in range(20)]


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.generate],  # a log only grows: an example cannot be repeated from the same state
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.lists(st.binary(max_size=40), min_size=1, max_size=60))
def test_any_values_are_appended_after_existing_records(logs: Logs, values: list[bytes]) -> None:
    log = logs.reused()
    before = log.bounds(0).end
    publish(log, *values)
    assert log.bounds(0) == Bounds(0, before + len(values))
    log.seek(0, before)
    assert [record.value for record in read(log, len(values))] == values


def test_the_time_of_a_record_is_the_logs_own_and_never_goes_back(logs: Logs) -> None:
    log = logs.reader()
    publish(log, *[b"%d" % number for number in range(700)])
    join(log)
    log.seek(0, 0)
    records = read(log, 700)
    times = [record.timestamp for record in records]
    assert {record.timestamp_type for record in records} == {LOG_APPEND_TIME}
    assert times == sorted(times)
    assert times[0] > 1_700_000_000_000


def test_the_largest_record_fits_into_the_dead_letter_topic_with_its_headers(logs: Logs) -> None:
    log = logs.open()
    largest = b"x" * 1_000_000
    headers = [("__connect.errors.exception.message", b"too_large" * 1_000)]
    log.publish(b"AAPL", largest)
    log.publish(b"AAPL", largest, headers=headers, topic=log.dead_letter_topic)
    log.flush(SECONDS)
    assert log.acknowledged == 2
    assert log.bounds(0) == Bounds(0, 1)


def test_a_new_group_has_no_commit(logs: Logs) -> None:
    assert logs.open().committed(0) is None


def test_the_next_instance_finds_a_commit_with_its_metadata(logs: Logs) -> None:
    log = logs.reader()
    publish(log, b"1", b"2", b"3")
    epoch = join(log)[0]
    longest = "m" * 4_096
    assert log.commit({0: at(Commit(1, METADATA), epoch)}) == frozenset({0})
    assert log.commit({0: at(Commit(2, longest), epoch)}) == frozenset({0})
    log.close()

    again = logs.open()
    assert again.committed(0) == Commit(2, longest)
    assert logs.open(group="others").committed(0) is None


def test_a_position_of_a_stale_epoch_is_not_committed(logs: Logs) -> None:
    log = logs.reader()
    publish(log, b"1", b"2")
    epoch = join(log)[0]
    assert log.commit({0: at(Commit(2, ""), epoch - 1), 7: at(Commit(1, ""), epoch)}) == frozenset()
    assert log.committed(0) is None


def test_a_partition_returns_nothing_before_a_seek(logs: Logs) -> None:
    log = logs.reader()
    publish(log, b"1", b"2")
    epoch = join(log)[0]
    log.commit({0: at(Commit(0, ""), epoch)})
    for _ in range(3):
        polled = log.poll(0.2)
        assert not polled.records
        assert not polled.out_of_range
    log.seek(0, 1)
    assert [record.value for record in read(log, 1)] == [b"2"]


def test_a_commit_alone_does_not_make_a_new_member_read_before_a_seek(logs: Logs) -> None:
    first = logs.reader()
    publish(first, *[b"%d" % number for number in range(100)])
    first.commit({0: at(Commit(50, METADATA), join(first)[0])})
    first.close()

    second = logs.reader()
    join(second)
    assert not any(second.poll(0.2).records for _ in range(3))
    second.seek(0, 30)
    assert [record.offset for record in read(second, 70)] == list(range(30, 100))


def test_seeking_back_returns_records_again(logs: Logs) -> None:
    log = logs.reader()
    publish(log, *[b"%d" % number for number in range(20)])
    join(log)
    log.seek(0, 0)
    assert [record.offset for record in read(log, 20)] == list(range(20))
    log.seek(0, 5)
    assert [record.offset for record in read(log, 15)] == list(range(5, 20))


def test_a_paused_poll_returns_nothing_and_the_next_ones_everything_once(logs: Logs) -> None:
    log = logs.reader()
    publish(log, *[b"%d" % number for number in range(8_000)])
    join(log)
    log.seek(0, 0)
    offsets = [record.offset for record in read(log, 1)]
    for _ in range(5):
        assert not log.poll(0.2, paused=True).records
    publish(log, b"late")
    assert not log.poll(0.2, paused=True).records
    offsets += [record.offset for record in read(log, 8_001 - len(offsets))]
    assert offsets == list(range(8_001))


def test_after_a_pause_a_partition_continues_from_a_seek_made_meanwhile(logs: Logs) -> None:
    log = logs.reader()
    publish(log, b"1", b"2", b"3")
    join(log)
    log.seek(0, 1)
    assert not any(log.poll(0.2, paused=True).records for _ in range(3))
    log.seek(0, 2)
    assert [record.value for record in read(log, 1)] == [b"3"]


def test_bounds_count_the_appended_records(logs: Logs) -> None:
    log = logs.open()
    assert log.bounds(0) == Bounds(0, 0)
    publish(log, b"1", b"2", b"3")
    assert log.bounds(0) == Bounds(0, 3)


def test_a_range_can_be_read_without_being_a_member(logs: Logs) -> None:
    log = logs.open()
    publish(log, *[b"%d" % number for number in range(12_000)])
    log.publish(None, None, headers=[("h", b"1")], topic=log.dead_letter_topic)
    log.flush(SECONDS)

    onlooker = logs.make()
    with onlooker:
        onlooker.connect(create=False)
        assert onlooker.partitions() == [0]
        assert onlooker.partitions(log.dead_letter_topic) == [0]
        found = [record for portion in onlooker.read(0, Bounds(20, 11_990)) for record in portion]
        assert [record.offset for record in found] == list(range(20, 11_990))
        assert found[0].value == b"20"
        assert onlooker.bounds(0, log.dead_letter_topic) == Bounds(0, 1)
        letters = [each for portion in onlooker.read(0, Bounds(0, 1), log.dead_letter_topic) for each in portion]
        assert [content(each) for each in letters] == [Content(None, None, (("h", b"1"),))]
        assert list(onlooker.read(0, Bounds(5, 5))) == []
        assert onlooker.committed(0) is None


def test_reading_a_range_does_not_disturb_a_member(logs: Logs) -> None:
    member = logs.reader()
    publish(member, *[b"%d" % number for number in range(30)])
    epoch = join(member)[0]
    member.seek(0, 0)
    with logs.make() as onlooker:
        onlooker.connect(create=False)
        assert sum(map(len, onlooker.read(0, Bounds(0, 30)))) == 30
        assert [record.offset for record in read(member, 30)] == list(range(30))
        assert member.commit({0: at(Commit(30, METADATA), epoch)}) == frozenset({0})
        assert onlooker.committed(0) == Commit(30, METADATA)


def test_a_range_leaves_out_the_records_that_retention_deleted(logs: Logs) -> None:
    log = logs.open()
    publish(log, *[b"%d" % number for number in range(10)])
    logs.drop_before(10)
    publish(log, b"new")
    assert [record.value for portion in log.read(0, Bounds(3, 11)) for record in portion] == [b"new"]
    assert list(log.read(0, Bounds(3, 8))) == []


def test_reading_a_missing_topic_gives_nothing_and_does_not_create_it(logs: Logs) -> None:
    for _ in range(2):
        with logs.make() as onlooker:
            onlooker.connect(create=False)
            assert onlooker.partitions() == []


def test_lag_counts_the_records_after_the_read_position(logs: Logs) -> None:
    log = logs.reader()
    publish(log, *[b"%d" % number for number in range(12_000)])
    assert log.lag() == {}
    join(log)
    log.seek(0, 0)
    come = len(read(log, 1))
    assert log.lag() == {0: 12_000 - come}
    read(log, 12_000 - come)
    assert log.lag() == {0: 0}
    log.poll(0.3)
    assert log.lag() == {0: 0}
    log.seek(0, 11_000)
    assert log.lag() == {0: 1_000}


def test_a_second_instance_reads_what_the_first_one_writes_at_once(logs: Logs) -> None:
    reader, writer = logs.reader(), logs.open()
    join(reader)
    reader.seek(0, 0)
    delays = []
    for number in range(5):
        published = time.monotonic()
        publish(writer, b"%d" % number)
        assert [record.value for record in read(reader, 1)] == [b"%d" % number]
        delays.append(time.monotonic() - published)
    assert sorted(delays)[2] < 0.25


def test_a_reader_overrun_by_retention_is_notified_and_continues_after_a_seek(logs: Logs) -> None:
    log = logs.reader()
    publish(log, *[b"%d" % number for number in range(10)])
    join(log)
    log.seek(0, 2)
    logs.drop_before(10)
    assert stray(log) == {0: 2}
    assert stray(log) == {0: 2}, "it is reported until it is placed"
    assert log.bounds(0) == Bounds(10, 10)
    log.seek(0, 10)
    publish(log, b"new")
    assert [(record.offset, record.value) for record in read(log, 1)] == [(10, b"new")]


def test_a_position_past_the_end_is_out_of_range(logs: Logs) -> None:
    log = logs.reader()
    publish(log, b"1")
    join(log)
    log.seek(0, 5)
    assert stray(log) == {0: 5}
    log.seek(0, 0)
    assert [record.value for record in read(log, 1)] == [b"1"]


def test_a_stop_ends_a_poll(logs: Logs) -> None:
    log = logs.reader()
    join(log)
    log.seek(0, 0)
    timer = threading.Timer(0.3, logs.stop.set)
    timer.start()
    started = time.monotonic()
    polled = log.poll(20)
    assert time.monotonic() - started < 10
    assert not polled.records


def test_records_published_before_a_stop_can_still_be_flushed(logs: Logs) -> None:
    log = logs.open()
    log.publish(b"AAPL", b"last")
    logs.stop.set()
    log.flush(SECONDS)
    assert log.acknowledged == 1


def test_closing_twice_or_before_connecting_does_no_harm(logs: Logs) -> None:
    logs.make().close()
    log = logs.reader()
    log.close()
    log.close()


def test_a_stop_ends_connecting(logs: Logs) -> None:
    stop = threading.Event()
    with logs.unreachable(), logs.make(stop=stop) as log:
        threading.Timer(0.5, stop.set).start()
        started = time.monotonic()
        with pytest.raises(Stopped, match=r"KAFKA_SERVERS|EMBEDDED_FILE"):
            log.connect()
        assert time.monotonic() - started < 10


def test_the_wait_for_a_connection_is_logged_with_its_setting(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    with logs.unreachable(), logs.make(stop=stop) as log:
        threading.Timer(1.8, stop.set).start()
        with pytest.raises(Stopped):
            log.connect()
    assert any("waiting for" in line and log.where in line for line in caplog.messages)
