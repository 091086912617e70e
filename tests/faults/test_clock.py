"""The machine's clock is set forward and back by an hour."""

from datetime import UTC, datetime
from pathlib import Path

from tests.faults.case import often
from tests.faults.conftest import MakeCase
from tests.faults.load import Load
from tests.faults.stands import Stand
from tests.integration.chain import wait_until

HOUR = 3600


def test_the_clock_is_set(case: MakeCase, stand: Stand, tmp_path: Path) -> None:
    """The clocks of the worker and of the embedded log's writers are set; Kafka's broker keeps its own clock."""
    times = often(2, 20)
    file = tmp_path / "clock"
    file.write_text("0")
    one = case("the clock set 1 h back or forth", stand, env={"FAULT_CLOCK": str(file)})
    worker = one.worker("clock")
    worker.wait_for("is ours", 30)

    def seconds() -> float:
        return datetime.now(UTC).timestamp() + int(file.read_text())

    def moment() -> datetime:
        return datetime.fromtimestamp(seconds(), UTC)

    moves_load = stand.name == "embedded"
    one.use(Load(stand.sink(seconds), one.random.randrange(2**32), clock=moment if moves_load else None))

    def is_moved() -> bool:
        return any(abs(shown - seconds()) < HOUR / 2 for shown in stand.worker_times())

    for number in range(times):
        one.pause(0.5, 1.0)
        shift = (HOUR, -HOUR)[number] if number < 2 else one.random.choice((-HOUR, 0, HOUR))
        new = file.with_suffix(".new")
        new.write_text(str(shift))
        new.replace(file)  # replaced atomically, since other processes read it all the time
        if number < 2:
            wait_until(is_moved, "worker whose clock is set", 30)
        if number == 0 or one.random.random() < 0.3:
            worker = one.relieve(worker, "clock")
    one.recover()
    one.finish(times)
    shown = stand.worker_times()
    assert max(shown) - min(shown) > 1.9 * HOUR, "the worker's clock was to be moved"
