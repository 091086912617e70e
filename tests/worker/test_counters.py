"""Tests of tallies, accounts, and the pending counts of uncommitted batches."""

from collections import Counter
from dataclasses import fields

import pytest

from tickflow.worker.counters import Account, Counters, Tally


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(consumed=9, accepted=9, stored=9), "10 offsets committed, but 9 accepted"),
        (Tally(consumed=10, accepted=10, stored=9), "10 accepted, but 9 stored"),
        (Tally(consumed=11, accepted=10, stored=10), "11 consumed, but 10 accepted"),
        (Tally(consumed=10, accepted=10, stored=10), ""),
        (Tally(consumed=4, accepted=4, stored=1, refused_by_store=1, expired=2, lost=5, skipped=1), ""),
    ],
)
def test_a_discrepancy_is_stated_with_its_numbers(tally: Tally, words: str) -> None:
    found = Account(0, 10, 10, tally).discrepancy
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_tallies_are_added_count_by_count_and_reason_by_reason() -> None:
    names = [each.name for each in fields(Tally) if each.name != "refused"]
    one, other = Tally(refused=Counter(a=1, b=2)), Tally(refused=Counter(b=5, c=7))
    for number, name in enumerate(names):
        setattr(one, name, number)
        setattr(other, name, 100 * number)
    one.add(other)
    assert {name: getattr(one, name) for name in names} == {name: 101 * number for number, name in enumerate(names)}
    assert one.refused == Counter(a=1, b=7, c=7)
    assert other.refused == Counter(b=5, c=7), "the other one is as it was"


def accepted(counters: Counters, partition: int, epoch: int, count: int) -> None:
    tally = counters.pending(partition, epoch)
    tally.consumed += count
    tally.accepted += count
    tally.stored += count


def test_a_batch_counts_once_it_is_committed_and_by_the_offsets_between_two_commits() -> None:
    counters = Counters()
    counters.open(3, 100)
    assert counters.accounts[3] == Account(100, 100)
    accepted(counters, 3, 1, 5)
    accepted(counters, 3, 1, 2)
    assert counters.total == Tally()
    counters.settle(3, 1, 107)
    assert (counters.accounts[3].committed, counters.accounts[3].advanced) == (107, 7)
    assert counters.total.accepted == 7
    accepted(counters, 3, 1, 4)
    counters.settle(3, 1, 111)
    assert (counters.accounts[3].start, counters.accounts[3].committed) == (100, 111)
    assert (counters.accounts[3].advanced, counters.total.accepted) == (11, 11)
    counters.settle(3, 1, 111)
    assert counters.total.accepted == 11, "nothing was pending"
    assert counters.discrepancies() == {}


def test_a_partition_that_comes_back_keeps_its_account_and_starts_where_it_is_read_from() -> None:
    counters = Counters()
    counters.open(0, 10)
    accepted(counters, 0, 1, 5)
    counters.settle(0, 1, 15)
    accepted(counters, 0, 1, 3)  # a rebalance takes these back before their commit
    counters.open(0, 40)
    account = counters.accounts[0]
    assert (account.start, account.committed, account.advanced, account.tally.accepted) == (40, 40, 5, 5)
    counters.settle(0, 1, 40)
    assert counters.total.accepted == 5, "what was pending is forgotten"
    accepted(counters, 0, 2, 1)
    counters.settle(0, 2, 41)
    assert (account.advanced, counters.total.accepted) == (6, 6)


def test_each_epoch_has_its_own_counts_and_only_revoked_partitions_lose_them() -> None:
    counters = Counters()
    for partition in (1, 2):
        counters.open(partition, 0)
        accepted(counters, partition, 1, partition)
        accepted(counters, partition, 2, 10 * partition)
    counters.drop([1, 7])
    counters.settle(1, 1, 0)
    counters.settle(1, 2, 0)
    counters.settle(2, 2, 20)
    assert (counters.accounts[1].tally.accepted, counters.accounts[2].tally.accepted) == (0, 20)
    counters.settle(2, 1, 22)
    assert counters.total.accepted == 22


def test_discrepancies_name_the_partitions_that_do_not_add_up() -> None:
    counters = Counters()
    for partition in (5, 2, 9):
        counters.open(partition, 0)
        accepted(counters, partition, 1, 4)
    counters.settle(5, 1, 5)
    counters.settle(2, 1, 4)
    counters.settle(9, 1, 3)
    assert list(counters.discrepancies().items()) == [
        (5, "5 offsets committed, but 4 accepted + 0 refused + 0 lost + 0 skipped"),
        (9, "3 offsets committed, but 4 accepted + 0 refused + 0 lost + 0 skipped"),
    ]
