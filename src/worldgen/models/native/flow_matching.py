"""Flow matching around a reprojected frame: the path of the noise, the best linear guess, and the loss, in one class.

Latents follow the straight path ``x_t = (1 - t) x_0 + t noise`` with velocity ``noise - x_0`` (Lipman et al. 2023,
arXiv:2210.02747; Liu et al. 2023, arXiv:2209.03003). Clean latents are taken to be normal around the reprojected
frame. The network predicts only what the best linear guess under that assumption leaves open, in units of its
standard deviation, as the preconditioning of Karras et al. 2022 (arXiv:2206.00364, section 5) does with the mean at
zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class LinearGuess:
    """The best linear guess of clean latents from noisy latents and the reprojected frame.

    t ``(B, F)``; ``time (B, 1, F, 1, 1)`` is the same, to broadcast. All others are ``(B, C, F, h, w)``: ``variance``
    of clean latents around the reprojected frame, ``spread``, the variance of the noisy latents, ``clean``, the guess
    itself, and ``unexplained``, the noisy latents minus their mean in units of their standard deviation.
    """

    t: torch.Tensor
    time: torch.Tensor
    variance: torch.Tensor
    spread: torch.Tensor
    clean: torch.Tensor
    unexplained: torch.Tensor


@dataclass(frozen=True, eq=False)
class FlowMatching:
    """The path from clean latents to noise, and what a network has to predict on it.

    change_std, data_std ``(C,)``: standard deviation of each latent channel around the reprojected frame where that
    is visible, and on its own where it is not.
    """

    change_std: torch.Tensor
    data_std: torch.Tensor

    @staticmethod
    def noisy(clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor | float) -> torch.Tensor:
        """Noisy latents ``(B, C, F, h, w)`` at diffusion times t ``(B, F)`` (or one number for all) in [0, 1]."""
        time = t[:, None, :, None, None] if isinstance(t, torch.Tensor) else t
        return (1 - time) * clean + time * noise

    @staticmethod
    def velocity(clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The velocity ``(B, C, F, h, w)`` of the path, the same at every time."""
        return noise - clean

    def variance(self, reprojected: torch.Tensor) -> torch.Tensor:
        """Variance ``(B, C, F, h, w)`` of clean latents around ``reprojected`` ``(B, C + 1, F, h, w)``, by its
        visibility."""
        visible = reprojected[:, -1:]
        change, data = (s.to(reprojected).square()[None, :, None, None, None] for s in (self.change_std, self.data_std))
        return visible * change + (1 - visible) * data

    def guess(self, noisy: torch.Tensor, t: torch.Tensor, reprojected: torch.Tensor) -> LinearGuess:
        """The best linear guess from noisy latents ``(B, C, F, h, w)`` at times t ``(B, F)``.

        With data N(m, s^2), the mean of x_0 given x_t is m + s^2 (1 - t) / d (x_t - (1 - t) m), d = s^2 (1 - t)^2 +
        t^2, and its standard deviation s t / sqrt(d). A network that reads the guess instead of x_t reads something
        at t = 1 too, where x_t is noise alone.
        """
        variance = self.variance(reprojected)
        mean = reprojected[:, :-1]  # also where a point was not visible: a nearby colour is a better guess than grey
        time = t.to(noisy.dtype)[:, None, :, None, None]
        spread = variance * (1 - time).square() + time.square()
        unexplained = noisy - (1 - time) * mean
        clean = mean + variance * (1 - time) / spread * unexplained
        return LinearGuess(t, time, variance, spread, clean, unexplained / spread.sqrt())

    @staticmethod
    def corrected_velocity(
        guess: LinearGuess, noisy: torch.Tensor, reprojected: torch.Tensor, correction: torch.Tensor
    ) -> torch.Tensor:
        """Velocity ``(B, C, F, h, w)`` that leads to the guess plus ``correction`` standard deviations of its error."""
        # Velocity = (x_t - x_0) / t, written so that nothing is divided by a small t.
        time, variance = guess.time, guess.variance
        linear = ((time - variance * (1 - time)) * noisy - time * reprojected[:, :-1]) / guess.spread
        return linear - (variance / guess.spread).sqrt() * correction

    def loss(
        self, error: torch.Tensor, t: torch.Tensor, reprojected: torch.Tensor, *, known: torch.Tensor,
        weight: torch.Tensor | float = 1.0, huber: float = 0.0,
    ) -> torch.Tensor:  # fmt: skip
        """Mean penalty of velocity errors ``(B, C, F, h, w)`` at times t ``(B, F)`` over the frames that are not
        ``known``.

        known ``(B, F)`` bool. weight: of each cell, broadcast to the errors' shape. huber: see :func:`pseudo_huber`.
        The penalty is in units of what noise and the reprojected frame leave open: a network that corrects nothing
        has a loss of 1.
        """
        # Between latents, where grain counts as much as surfaces, and pixels, where grain hardly counts: most of the
        # grain of a picture cannot be predicted, and a network that tries learns slowly what stands where.
        share = (self.data_std / self.data_std.mean())[:, None, None, None] * weight
        variance = self.variance(reprojected)
        time = t[:, None, :, None, None]
        squared = error.square() * (variance * (1 - time).square() + time.square()) / variance
        weights = share * variance * ~known[:, None, :, None, None]
        return (weights * pseudo_huber(squared, huber)).sum() / weights.sum()


def pseudo_huber(squared: torch.Tensor, width: float) -> torch.Tensor:
    """Pseudo-Huber penalty of squared errors: quadratic up to about ``width``, linear beyond; plain squares where
    width is 0.

    Most of a reprojected frame is right to begin with, and a little of it is quite wrong. The least-squares answer
    mixes both and is blurred, again in every frame of a rollout; a median keeps what is right. Source: Song &
    Dhariwal 2023 (arXiv:2310.14189, section 3.3).
    """
    return squared if width == 0 else 2 * width * ((squared + width * width).sqrt() - width)
