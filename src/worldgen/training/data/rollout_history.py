"""Histories from rollouts of whole clips, made before training begins: the frames a network meets when it is used.

A network that learns only from histories of recordings meets its own mistakes for the first time when it is used, and
each frame adds to them. So the network that training begins from first continues every clip to its end. Training takes
the histories of these rollouts as input and the recorded frames as target (Ross et al. 2011, arXiv:1011.0686; for video
models Huang et al. 2025, arXiv:2506.08009). They are made once, so a history of ten frames costs as much as one of
three that is generated in a training step.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from worldgen.core.seeds import stable_hash, stable_key
from worldgen.files.atomic import flush
from worldgen.files.journal import Journal, read_journal
from worldgen.files.json_files import read_json
from worldgen.files.storage import write_json
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.loading import pipeline_hash
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.rollout.generated_history import CONTEXT_FRAMES
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import METHOD, Rollout
from worldgen.models.native.text import text_states
from worldgen.training.data.latent_cache import LatentCache, history_name
from worldgen.training.launch import PreparationContext


@dataclass(frozen=True)
class RolloutHistory:
    """Histories ``(N, C + 1, h, w)`` float16 of all frames of a cache, in a file that is read on demand.

    Frames that no rollout generated have the histories of the cache. Light to send to loader processes.
    """

    path: Path
    cache: LatentCache

    @property
    def name(self) -> str:
        """Names what the histories were made from: clips, networks and method."""
        return self.path.parent.name

    def reprojected(self, index: int, frames: slice) -> np.ndarray:
        """History ``(F, C + 1, h, w)`` float32 of some frames of a clip, at stride 1."""
        first = self.cache.offsets[index]
        maps = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return np.asarray(maps[first + frames.start : first + frames.stop], dtype=np.float32)


def rollout_histories(
    folder: Path,
    cache: LatentCache,
    numbers: list[int],
    pipeline: WorldPipeline,
    *,
    from_noise: float,
    batch: int,
    context: PreparationContext,
) -> RolloutHistory:
    """Histories of rollouts of the clips ``numbers`` of ``cache``, in a subfolder of ``folder`` named by what they are
    made from.

    Clips that are already there are not rolled out again. Of the clips with a layout, a share ``from_noise`` begins
    with a frame that the network generates without any history. ``batch`` clips are rolled out together; all processes
    share the work.

    Raises:
        KeyboardInterrupt: when the launch asks to stop; the clips rolled out so far are kept.
    """
    numbers = sorted(set(numbers))
    name = stable_key("rolled", cache.folder.name, numbers, pipeline_hash(pipeline), METHOD, from_noise)
    folder, accelerator = folder / name, context.accelerator
    generator = _HistoryGenerator(folder, cache, pipeline, context)
    if accelerator.is_main_process:
        generator.begin()
    accelerator.wait_for_everyone()
    generator.generate(_groups(cache, numbers, from_noise=from_noise, batch=batch))
    accelerator.wait_for_everyone()
    return RolloutHistory(folder / "past.npy", cache)


@dataclass(frozen=True)
class _Group:
    """Clips that are rolled out together: ``given`` recorded frames of each, then generated ones."""

    numbers: tuple[int, ...]
    given: int


def _groups(cache: LatentCache, numbers: list[int], *, from_noise: float, batch: int) -> list[_Group]:
    """``numbers`` in batches of clips of equal length, rate and start, in an order that depends on the arguments alone.

    Clips that have no frame after the given ones are left out.
    """
    kinds: dict[tuple, list[int]] = defaultdict(list)
    for number in numbers:
        record, has_layout = cache.records[number], cache.has_layout[number]
        starts_empty = has_layout and stable_hash("from noise", record.key) % 10_000 < 10_000 * from_noise
        given = 0 if starts_empty else 1 if has_layout else CONTEXT_FRAMES
        if given < record.num_frames:
            kinds[record.num_frames, record.fps, has_layout, given].append(number)
    return [
        _Group(tuple(members[first : first + batch]), given)
        for (*_, given), members in sorted(kinds.items())
        for first in range(0, len(members), batch)
    ]


class _HistoryGenerator:
    """Rolls clips out, each process a part of them. A line of a journal names clips whose histories are written."""

    def __init__(self, folder: Path, cache: LatentCache, pipeline: WorldPipeline, context: PreparationContext) -> None:
        self.folder, self.cache, self.pipeline, self.launch = folder, cache, pipeline, context.launch
        self.accelerator = context.accelerator

    def begin(self) -> None:
        """Begin with the histories of the cache, unless a run of the same number of processes did so before."""
        birth = {"processes": self.accelerator.num_processes}
        try:
            if read_json(self.folder / "rolled.json") == birth:
                return
        except (OSError, ValueError):
            pass
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.folder / "rolled.json", *self.folder.glob("part*.jsonl")):
            path.unlink(missing_ok=True)
        shutil.copyfile(self.cache.folder / f"{history_name(1, False)}.npy", self.folder / "past.npy")
        flush(self.folder / "past.npy")
        write_json(self.folder / "rolled.json", birth)

    def generate(self, groups: list[_Group]) -> None:
        mine = groups[self.accelerator.process_index :: self.accelerator.num_processes]
        path = self.folder / f"part{self.accelerator.process_index}.jsonl"
        done = {number for line in read_journal(path) for number in line["clips"]}
        left = [group for group in mine if not done.issuperset(group.numbers)]
        if not left:
            return
        clips = sum(len(group.numbers) for group in left)
        self.launch.log(
            f"the network continues {clips} clips, once, into {self.folder}; training takes their histories"
        )
        array = np.load(self.folder / "past.npy", mmap_mode="r+", allow_pickle=False)
        with Journal(path) as journal:
            for group in self.launch.parts(left, total=len(left), desc="roll batches of clips out"):
                for number, histories in zip(group.numbers, self._histories(group), strict=True):
                    last = self.cache.offsets[number] + self.cache.records[number].num_frames
                    array[last - len(histories) : last] = histories
                journal.append({"clips": group.numbers})
        array.flush()

    @torch.no_grad()
    def _histories(self, group: _Group) -> np.ndarray:
        """Histories ``(B, F - given, C + 1, h, w)`` float16 of the frames that the network generates."""
        pipeline, device = self.pipeline, self.accelerator.device
        records = [self.cache.records[number] for number in group.numbers]
        frames = records[0].num_frames
        latents = np.stack([self.cache.latents(number, slice(0, max(1, group.given))) for number in group.numbers])
        layouts = [self.cache.layout(number, slice(0, frames)) for number in group.numbers]
        conditions = batch_conditions(
            [
                ClipConditions(frames, r.fps, r.caption or None, r.ego, r.camera, layout)
                for r, layout in zip(records, layouts, strict=True)
            ],
            pipeline.tokenizer,
        ).to(device)
        with self.accelerator.autocast():
            text = text_states(pipeline.text_encoder, conditions)
            seeds = [stable_hash("rolled", record.key) for record in records]
            rollout = Rollout(pipeline.networks, conditions, text, noise=seeded_noise(seeds), options=SamplerOptions())
            if group.given:
                rollout.feed(torch.from_numpy(latents).transpose(1, 2).to(device, text.dtype))
            histories = []
            while rollout.position < frames:
                rollout.generate(1, latents.shape[2:])
                assert rollout.reprojected is not None
                histories.append(rollout.reprojected)
        return torch.cat(histories, 2).transpose(1, 2).float().cpu().numpy().astype(np.float16)
