"""Whether a fine-tuned network uses ego motion: its held-out loss with true motion against that with another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from worldgen.core.seeds import numpy_rng, stable_hash
from worldgen.training.backbones.tune_items import TuneItems
from worldgen.training.backbones.tune_module import VALIDATION_LEVELS, TuneModule

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class EgoSensitivity:
    """Paired over windows, the same noise on both sides.

    true_loss, shuffled_loss: mean squared error of the velocity. gain: shuffled minus true, with a bootstrap interval
    of 95 %. output_change: how far the prediction moves when the motion is exchanged, as a share of its size.
    """

    windows: int
    true_loss: float
    shuffled_loss: float
    gain: float
    gain_low: float
    gain_high: float
    output_change: float

    @property
    def is_used(self) -> bool:
        """Whether true motion is better beyond the interval."""
        return self.gain_low > 0

    @property
    def line(self) -> str:
        """For the user."""
        return (
            f"ego motion: loss {self.true_loss:.4g} with true, {self.shuffled_loss:.4g} with shuffled motion over "
            f"{self.windows} windows; gain {self.gain:.3g} ({self.gain_low:.3g} to {self.gain_high:.3g}); the exchange "
            f"moves the output by {100 * self.output_change:.3g} % of its size"
        )

    def to_json(self) -> dict[str, float]:
        return asdict(self)


@torch.no_grad()
def ego_sensitivity(
    module: TuneModule, items: TuneItems, numbers: Sequence[int], device: torch.device
) -> EgoSensitivity | None:
    """Sensitivity on the windows of ``numbers`` that have ego motion; None for fewer than two of them."""
    driven = [number for number in numbers if items.cache.records[number].ego is not None]
    if len(driven) < 2:
        return None
    partner = dict(zip(driven, np.roll(driven, len(driven) // 2).tolist(), strict=True))
    true, shuffled, moved = [], [], []
    for number in driven:
        given = items.fixed_given(number)
        batches = [
            items.collate([items.item(number, given, ego_of=other)]).to(device) for other in (-1, partner[number])
        ]
        noise = _noise(batches[0].latents, number, device)
        losses = np.zeros(2)
        for level in VALIDATION_LEVELS:
            levels = torch.full((1,), level, device=device)
            (own, one), (other, two) = (module.judged(batch, levels, noise) for batch in batches)
            losses += [float(own), float(other)]
            moved.append(float((one - two).norm() / one.norm().clamp_min(1e-12)))
        true.append(losses[0] / len(VALIDATION_LEVELS))
        shuffled.append(losses[1] / len(VALIDATION_LEVELS))
    gains = np.asarray(shuffled) - np.asarray(true)
    low, high = bootstrap_interval(gains)
    return EgoSensitivity(
        len(driven), float(np.mean(true)), float(np.mean(shuffled)), float(gains.mean()), low, high,
        float(np.mean(moved)),
    )  # fmt: skip


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the mean of ``(N,)`` values (Efron 1979), the same for the same values."""
    rng = numpy_rng("bootstrap", len(values))
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _noise(latents: torch.Tensor, number: int, device: torch.device) -> torch.Tensor:
    generator = torch.Generator(device).manual_seed(stable_hash("sensitivity", number))
    return torch.randn(latents.shape, generator=generator, device=device)
