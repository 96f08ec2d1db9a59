"""The data order is a function of the position: the same for every split into processes, batches and lives."""

from __future__ import annotations

import itertools

import pytest

from worldgen.training.loop.data_order import StepOrder, StepSplit, draw_at, noise_seed


def test_every_epoch_shows_every_item_once_in_another_order():
    epochs = [[draw_at(7, p, 10).index for p in range(e * 10, e * 10 + 10)] for e in range(3)]
    assert all(sorted(order) == list(range(10)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    assert [draw_at(7, p, 10).epoch for p in (0, 9, 10, 25)] == [0, 0, 1, 2]


def test_draws_depend_on_seed_and_position_alone():
    a, b = draw_at(7, 13, 10), draw_at(7, 13, 10)
    assert a == b and a.rng().random() == b.rng().random()
    assert a.rng().random() != draw_at(7, 14, 10).rng().random()
    assert a.rng().random() != draw_at(8, 13, 10).rng().random()
    assert noise_seed(0, 1) != noise_seed(0, 2) != noise_seed(1, 2)


@pytest.mark.parametrize(("batch", "accumulate", "processes"), [(8, 1, 1), (4, 2, 1), (4, 1, 2), (2, 2, 2), (1, 1, 8)])
def test_a_step_has_the_same_positions_however_it_is_dealt_out(batch, accumulate, processes):
    for step in (0, 5):
        seen = [
            position
            for rank, micro in itertools.product(range(processes), range(accumulate))
            for position in StepSplit(batch, accumulate, processes, rank).positions(step, micro)
        ]
        assert sorted(seen) == list(range(step * 8, step * 8 + 8))


def test_a_resumed_order_goes_on_where_it_was():
    layout = StepSplit(3, 2)
    whole = list(itertools.islice(StepOrder(layout), 10))
    assert list(itertools.islice(StepOrder(layout, 2), 6)) == whole[4:]
    frozen = list(itertools.islice(StepOrder(layout, 4, frozen=True), 4))
    assert frozen == whole[:2] * 2
