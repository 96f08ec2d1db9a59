"""The clips of a rendered set with their controls and prompts, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from worldgen.core.samples import Sample
from worldgen.data.dataset.index import shard_urls
from worldgen.data.dataset.sample_files import decode_sample
from worldgen.data.dataset.shards import read_members
from worldgen.data.video.control_video import decode_controls
from worldgen.prompts.model_prompts import long_prompt


@dataclass(frozen=True, eq=False)
class TinyClips:
    """N clips of T frames. frames, controls: ``(N, T, H, W, 3)`` uint8. prompts: N texts, as the family is told."""

    frames: np.ndarray
    controls: np.ndarray
    prompts: tuple[str, ...]

    def part(self, first: int, last: int) -> TinyClips:
        """Clips ``first`` to ``last``, the latter left out."""
        return TinyClips(self.frames[first:last], self.controls[first:last], self.prompts[first:last])


def rendered_samples(url: str, control: str) -> Iterator[tuple[Sample, np.ndarray]]:
    """Each sample of a rendered set with its control ``(T, H, W, 3)`` uint8, in the order of the shards.

    control: ``sketch``, which is the drawn clip itself and stands in no file, or a control that was rendered with it.
    """
    for shard in shard_urls(url):
        for key, members in read_members(shard):
            sample = decode_sample(members)
            frames = sample.clip.frames
            yield sample, frames if control == "sketch" else decode_controls(members, frames.shape, key)[control]


def prompt_of(sample: Sample) -> str:
    """The prompt of a sample as the family is told."""
    assert sample.scenario is not None, sample.key
    return long_prompt(sample.caption, sample.scenario)


def read_clips(url: str, control: str, *, num_frames: int, limit: int = 0) -> TinyClips:
    """The first frames of the clips of a set with their control. limit: clips to read, 0 for all."""
    frames, controls, prompts = [], [], []
    for sample, video in rendered_samples(url, control):
        frames.append(sample.clip.frames[:num_frames])
        controls.append(video[:num_frames])
        prompts.append(prompt_of(sample))
        if len(frames) == limit:
            break
    return TinyClips(np.stack(frames), np.stack(controls), tuple(prompts))
