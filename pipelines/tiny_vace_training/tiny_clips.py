"""The clips of a rendered set with their depth controls and prompts, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def read_clips(url: str, control: str, *, num_frames: int) -> TinyClips:
    """The first frames of all clips of a data set with their control, in the order of their shards."""
    frames, controls, prompts = [], [], []
    for shard in shard_urls(url):
        for key, members in read_members(shard):
            sample = decode_sample(members)
            assert sample.scenario is not None, key
            frames.append(sample.clip.frames[:num_frames])
            controls.append(decode_controls(members, sample.clip.frames.shape, key)[control][:num_frames])
            prompts.append(long_prompt(sample.caption, sample.scenario))
    return TinyClips(np.stack(frames), np.stack(controls), tuple(prompts))
