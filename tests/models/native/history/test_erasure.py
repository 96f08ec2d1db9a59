"""Things taken out of pasts: only where the layout shows them, replaced by what stands elsewhere, in the chosen
clips."""

from __future__ import annotations

import pytest
import torch

from tests.models.build import conditions
from worldgen.core.labels import CLASSES
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.history.erasure import with_objects_erased
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.losses.flow import Examples, world_loss
from worldgen.models.native.losses.loss_options import FlowOptions
from worldgen.models.native.sizes import LATENT_CHANNELS, build_pipeline

ROWS, COLUMNS = 6, 16
PEDESTRIAN = LAYOUT_CHANNELS.index("pedestrian")


def with_a_pedestrian(batch: int, *, columns: slice) -> Examples:
    """Clips whose only thing is a pedestrian in some columns of the middle rows; past: the column's number, all
    seen."""
    c = conditions(batch, 3, rows=ROWS, columns=COLUMNS)
    c.layout.zero_()
    c.layout[:, PEDESTRIAN, :, 16:32, columns.start * 8 : columns.stop * 8] = 1.0
    picture = torch.arange(COLUMNS, dtype=torch.float32).expand(batch, LATENT_CHANNELS, 3, ROWS, COLUMNS)
    reprojected = torch.cat([picture, torch.ones(batch, 1, 3, ROWS, COLUMNS)], 1)
    return Examples(torch.zeros(batch, LATENT_CHANNELS, 3, ROWS, COLUMNS), reprojected, c)


def test_shares_are_the_cover_of_cells_by_any_class():
    examples = with_a_pedestrian(1, columns=slice(5, 7))
    shares = object_coverage(examples.conditions, (ROWS, COLUMNS))
    expected = torch.zeros(1, 1, 3, ROWS, COLUMNS)
    expected[..., 2:4, 5:7] = 1.0
    assert torch.equal(shares, expected)
    examples.conditions.layout[:, LAYOUT_CHANNELS.index(CLASSES[0])] = (
        0.5  # overlapping classes are no more than a full cell
    )
    assert object_coverage(examples.conditions, (ROWS, COLUMNS)).max() == 1.0


def test_only_the_thing_and_its_border_change_and_only_in_some_clips():
    examples = with_a_pedestrian(64, columns=slice(5, 7))
    erased = with_objects_erased(examples, torch.Generator().manual_seed(0), share=0.7)
    changed = (erased.reprojected != examples.reprojected).any(1)  # (B, F, h, w)
    inside = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    inside[1:5, 4:8] = True
    assert not changed[..., ~inside].any()
    share = changed.flatten(1).any(1).float().mean().item()
    assert 0.2 < share < 0.7  # of the chosen, those whose range of columns reaches the thing
    # What stands there now comes from elsewhere in the same row, and is told as seen in some clips and not in others.
    where = changed[:, 0, 2, 5]
    seen = erased.reprojected[where, -1, 0, 2, 5]
    assert {0.0, 1.0} == set(seen.tolist())
    assert not (erased.reprojected[where, 0, 0, 2, 5] == 5.0).any()
    assert torch.equal(erased.latents, examples.latents)


def test_nothing_is_erased_without_layout_or_at_share_nought():
    examples = with_a_pedestrian(8, columns=slice(0, 16))
    assert with_objects_erased(examples, torch.Generator(), share=0.0) is examples
    blind = Examples(examples.latents, examples.reprojected, examples.conditions.without("layout"))
    assert torch.equal(with_objects_erased(blind, torch.Generator(), share=1.0).reprojected, examples.reprojected)


@pytest.mark.parametrize("weight", [0.0, 9.0])
def test_an_error_on_a_thing_counts_by_its_weight(weight):
    """Two batches that err by the same amount, once on the thing and once beside it."""
    pipeline = build_pipeline("tiny")
    options = FlowOptions(
        known_frames=0,
        pure_noise=1.0,
        history_noise=0,
        drop_text=0,
        drop_ego=0,
        drop_layout=0,
        drop_history=0,
        object_weight=weight,
    )
    losses = {}
    for name, column in (("thing", 5), ("ground", 10)):
        examples = with_a_pedestrian(1, columns=slice(5, 6))
        examples.latents.copy_(examples.reprojected[:, :-1])
        examples.latents[..., 2, column] += 1.0  # a fresh network foretells the past as it is
        loss, _ = world_loss(pipeline.networks, examples, torch.Generator().manual_seed(0), options=options)
        losses[name] = loss.item()
    assert losses["thing"] / losses["ground"] == pytest.approx(1 + weight, rel=1e-3)
