"""Pasts of whole rollouts, made before training begins: what the network will meet when it is used.

A network that learns only from pasts of recordings meets its own mistakes for the first time when it is used, and each frame
adds to them. So the network that training begins from first continues every clip to its end, and training takes the pasts
of these rollouts, with the recorded frames as what should have been painted (Ross et al. 2011, arXiv:1011.0686; for video
models Huang et al. 2025, arXiv:2506.08009). Made once, a past of ten frames costs no more than one of three.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from worldgen.core.seeds import stable_hash, stable_key
from worldgen.files.atomic import flush
from worldgen.files.journal import Journal, read_journal
from worldgen.files.storage import write_json
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.loading import pipeline_hash
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import METHOD, Rollout, SamplerOptions
from worldgen.models.native.text import text_states
from worldgen.training.data.latents import LatentCache, Launcher, history_name
from worldgen.training.loop.timing import PartProgress

GIVEN = 2
"""Recorded frames at the start of clips without a layout: two show how far away things are. With a layout one is enough."""


@dataclass(frozen=True)
class RolloutHistory:
    """Pasts ``(N, C + 1, h, w)`` float16 of all frames of a cache, a file that is read where it is asked for; frames that no
    rollout painted have those of the cache. Light to send to loaders."""

    path: Path
    cache: LatentCache

    def reprojected(self, index: int, frames: slice) -> np.ndarray:
        """The past ``(F, C + 1, h, w)`` float32 of some frames of a clip, at stride 1."""
        first = self.cache.offsets[index]
        maps = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return np.asarray(maps[first + frames.start : first + frames.stop], dtype=np.float32)


def rollout_histories(
    folder: Path, cache: LatentCache, numbers: list[int], pipeline: WorldPipeline, *, from_noise: float, batch: int,
    launcher: Launcher,
) -> tuple[RolloutHistory, str]:  # fmt: skip
    """Pasts of rollouts of the clips ``numbers`` of ``cache``, kept in a folder below ``folder`` that is named by what they are
    made from; what is there already is not made again.

    Of the clips with a layout, a share ``from_noise`` begins with a frame the network paints from no reprojected at all. ``batch``
    clips go on together; the processes of ``launcher`` share the work. Also returned: that name.
    """
    numbers = sorted(set(numbers))
    name = stable_key("rolled", cache.folder.name, numbers, pipeline_hash(pipeline), METHOD, from_noise)
    folder, accelerator = folder / name, launcher.accelerator
    maker = _HistoryMaker(folder, cache, pipeline, launcher)
    if accelerator.is_main_process:
        maker.begin()
    accelerator.wait_for_everyone()
    maker.make(_groups(cache, numbers, from_noise=from_noise, batch=batch))
    accelerator.wait_for_everyone()
    return RolloutHistory(folder / "past.npy", cache), name


@dataclass(frozen=True)
class _Group:
    """Clips that can go on together: ``given`` recorded frames of each, then the network's own."""

    numbers: tuple[int, ...]
    given: int


def _groups(cache: LatentCache, numbers: list[int], *, from_noise: float, batch: int) -> list[_Group]:
    """``numbers`` in batches of clips of one kind, in an order that depends on nothing else; clips that end with what is given
    are left out."""
    kinds: dict[tuple, list[int]] = defaultdict(list)
    for number in numbers:
        record, laid_out = cache.records[number], cache.has_layout[number]
        invented = laid_out and stable_hash("from noise", record.key) % 10_000 < 10_000 * from_noise
        given = 0 if invented else 1 if laid_out else GIVEN
        if given < record.num_frames:
            kinds[record.num_frames, record.fps, laid_out, given].append(number)
    return [
        _Group(tuple(members[first : first + batch]), given)
        for (*_, given), members in sorted(kinds.items())
        for first in range(0, len(members), batch)
    ]


class _HistoryMaker:
    """Rolls clips out, every process its share. A line in a journal stands for clips that are written."""

    def __init__(self, folder: Path, cache: LatentCache, pipeline: WorldPipeline, launcher: Launcher):
        self.folder, self.cache, self.pipeline, self.launcher = folder, cache, pipeline, launcher
        self.accelerator = launcher.accelerator

    def begin(self) -> None:
        """Lay out the array, unless a run of as many processes did so before."""
        birth = {"processes": self.accelerator.num_processes}
        try:
            if json.loads((self.folder / "rolled.json").read_text()) == birth:
                return
        except (OSError, ValueError):
            pass
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.folder / "rolled.json", *self.folder.glob("part*.jsonl")):
            path.unlink(missing_ok=True)
        shutil.copyfile(self.cache.folder / f"{history_name(1, False)}.npy", self.folder / "past.npy")
        flush(self.folder / "past.npy")
        write_json(self.folder / "rolled.json", birth)

    def make(self, groups: list[_Group]) -> None:
        mine = groups[self.accelerator.process_index :: self.accelerator.num_processes]
        path = self.folder / f"part{self.accelerator.process_index}.jsonl"
        done = {number for line in read_journal(path) for number in line["clips"]}
        left = [group for group in mine if not done.issuperset(group.numbers)]
        if not left:
            return
        self.launcher.log(f"the network continues {sum(len(g.numbers) for g in left)} clips, to learn from what becomes of them")
        array = np.load(self.folder / "past.npy", mmap_mode="r+", allow_pickle=False)
        pace = PartProgress(len(left), self.launcher.log, self.launcher.stop)
        with Journal(path) as journal:
            for count, group in enumerate(left, 1):
                for number, reprojected in zip(group.numbers, self._pasts(group), strict=True):
                    last = self.cache.offsets[number] + self.cache.records[number].num_frames
                    array[last - len(reprojected) : last] = reprojected
                journal.append({"clips": group.numbers})
                pace.tell(count)
        array.flush()

    @torch.no_grad()
    def _pasts(self, group: _Group) -> np.ndarray:
        """Pasts ``(B, F - given, C + 1, h, w)`` float16 of the frames that the network paints."""
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
                histories.append(rollout.reprojected)
        return torch.cat(histories, 2).transpose(1, 2).float().cpu().numpy().astype(np.float16)
