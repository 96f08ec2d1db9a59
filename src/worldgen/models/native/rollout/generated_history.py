"""Learning from one's own mistakes: the past of a training clip made from frames the network itself painted."""

from __future__ import annotations

import torch

from worldgen.models.native.codec import decode_images
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.losses.flow import Examples
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.rollout.colour_drift import ColourDriftCorrection


@torch.no_grad()
def with_generated_history(
    networks: WorldNetworks, examples: Examples, generator: torch.Generator, *, share: float, from_noise: float = 0.0
) -> Examples:
    """``examples`` with the reprojected of some clips replaced; ``networks``: transformer, text encoder and codec.

    Each clip is chosen with probability ``share``. The network continues its first frame, one after the other, each in one step
    from pure noise and the picture it painted before, as a rollout does: the pasts this gives are the new ones. Of the chosen
    clips that have a layout, a share ``from_noise`` begins with a first frame that the network painted too, from no past at all.
    Training on self-made pasts instead of real ones follows Huang et al. 2025 (Self Forcing, arXiv:2506.08009); no
    gradient flows through them here.
    """
    batch = len(examples.latents)
    uniform = torch.rand(batch, generator=generator, device=generator.device)
    rows = (uniform < share).to(examples.latents.device)
    if share <= 0 or not rows.any():
        return examples
    reprojected = examples.reprojected.clone()
    invented = torch.rand(batch, generator=generator, device=generator.device).to(rows.device) < from_noise
    invented = (invented & examples.conditions.layout_known)[rows]
    reprojected[rows] = _painted(networks, examples.where(rows), generator, invented).to(reprojected)
    return Examples(examples.latents, reprojected, examples.conditions)


def _painted(
    networks: WorldNetworks, examples: Examples, generator: torch.Generator, invented: torch.Tensor
) -> torch.Tensor:
    """Pasts ``(B, C + 1, F, h, w)`` of a rollout in single steps that continues the first frame: the recorded one, whose past is
    given, or where ``invented`` ``(B,)`` says so one that is painted from no past.

    As in ``rollout.Rollout``, the first frame is the key picture and holds the colours.
    """
    codec = networks.codec
    conditions = examples.conditions
    text = networks.text_of(conditions)
    batch, channels, frames, height, width = examples.latents.shape

    def paint(reprojected: torch.Tensor, frame: int) -> torch.Tensor:
        noise = torch.randn(batch, channels, 1, height, width, generator=generator, device=generator.device).to(text)
        t = torch.ones(batch, 1, device=noise.device)
        here = conditions.frames(frame, frame + 1)
        return noise - networks.transformer(noise, t, reprojected[:, :, None].to(noise), here, text)

    first, reprojected = examples.latents[:, :, :1], examples.reprojected[:, :, 0]
    if invented.any():
        chosen = invented[:, None, None, None]
        reprojected = reprojected.masked_fill(chosen, 0.0)
        first = torch.where(chosen[:, None], paint(reprojected, 0).to(first), first)
    colour_drift = ColourDriftCorrection.of(first, conditions.frames(0, 1))
    picture = decode_images(codec, first[:, :, 0]).clamp(-1, 1)
    keyframe, histories = (picture, 0), [reprojected]
    for frame in range(1, frames):
        histories.append(reproject(codec, picture, conditions, source=frame - 1, target=frame, keyframe=keyframe)[0])
        if frame == frames - 1:
            break  # nobody sees what the last frame would become
        clean = colour_drift.hold(paint(histories[-1], frame), conditions.frames(frame, frame + 1))
        picture = decode_images(codec, clean[:, :, 0]).clamp(-1, 1)
    return torch.stack(histories, 2)
