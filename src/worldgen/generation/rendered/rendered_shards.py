"""A data set of drawn clips, shard by shard, in this process or in several."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import cv2

from worldgen.core.errors import InputError
from worldgen.core.progress import no_log
from worldgen.core.scenario import Scenario
from worldgen.data.dataset.published import shard_is_sound
from worldgen.data.dataset.shards import ShardWriter
from worldgen.files.lock import locked
from worldgen.files.output_guard import RENDERED, keep_settings, refuse_output
from worldgen.files.storage import sweep, sweep_dead
from worldgen.generation.campaign.runner import STOP_S, end_with
from worldgen.generation.rendered.drawn_scenes import ClipShape, make_sample

SETTINGS_NAME = "scenes-config.json"
"""Written first: what all clips of a folder share."""


@dataclass(frozen=True)
class RenderJob:
    """One shard of data set ``url``: its name, and the scenarios as JSON text with their seeds."""

    url: str
    name: str
    clips: tuple[tuple[str, int], ...]
    shape: ClipShape


@dataclass(frozen=True)
class RenderedShard:
    """What became of a shard. rendered: clips drawn now. kept: clips of a shard that was there. skipped: reasons."""

    name: str
    rendered: int
    kept: int
    skipped: tuple[str, ...]


def render_jobs(
    scenarios: list[Scenario], url: str, shape: ClipShape, *, seed: int, shard_size: int
) -> list[RenderJob]:
    """Shards of ``shard_size`` scenarios each, in order; scenario k gets the seed ``seed + k``."""
    clips = [(json.dumps(scenario.to_json(), sort_keys=True), seed + k) for k, scenario in enumerate(scenarios)]
    chunks = [tuple(clips[i : i + shard_size]) for i in range(0, len(clips), shard_size)]
    return [RenderJob(url, f"scenes-s{seed}-{k:05d}", chunk, shape) for k, chunk in enumerate(chunks)]


@contextlib.contextmanager
def rendering(url: str, settings: dict[str, Any], *, seed: int, count: int) -> Iterator[None]:
    """Hold the output folder of rendered clips for a run.

    settings: what all clips of the folder share. Clips of several seeds may lie in one folder, ``count`` of each.

    Raises: InputError when the folder is in use for anything else or by another run, or was begun with other settings
    or another count of this seed.
    """
    refuse_output(url, RENDERED)
    with locked(url, no_log):
        keep_settings(url, SETTINGS_NAME, settings)
        keep_settings(url, f"scenes-s{seed}.json", {"count": count})
        sweep(url)
        yield


def render_shard(job: RenderJob) -> RenderedShard:
    """Render the clips of one shard and write it whole; a shard that is there and sound is left alone.

    A scenario whose event fits no scene is left out and its reason kept.
    """
    if shard_is_sound(job.url, f"{job.name}.tar"):
        return RenderedShard(job.name, 0, len(job.clips), ())
    cv2.setNumThreads(1)
    skipped: list[str] = []
    with ShardWriter(job.url, job.name) as writer:
        for text, seed in job.clips:
            scenario = Scenario.from_json(json.loads(text))
            try:
                writer.write(*make_sample(scenario, seed, job.shape))
            except InputError as error:
                skipped.append(f"seed {seed}: {error}")
        rendered = len(writer)
    return RenderedShard(job.name, rendered, 0, tuple(skipped))


def rendered_shards(jobs: list[RenderJob], workers: int) -> Iterator[RenderedShard]:
    """Renders the jobs in ``workers`` processes and yields what became of each as soon as it is finished."""
    if workers == 1 or len(jobs) == 1:
        yield from map(render_shard, jobs)
        return
    # One thread per process: several would fight over the same cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), multiprocessing.get_context("spawn"), _begin_worker, (os.getpid(),)
    )
    try:
        with _signals_later():  # an interrupted start would leave a process that complains about its missing parent
            futures = [pool.submit(render_shard, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()
        pool.shutdown()
    except BaseException:
        # Left alone, the pool would first do all jobs that are queued.
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(STOP_S)
        sweep_dead(*{job.url for job in jobs})
        raise


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block ends. A mask would not do: other threads take the signal, and its
    handler runs here all the same."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread only
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if came:
            os.kill(os.getpid(), came[0])


def _begin_worker(parent: int) -> None:
    """Let the parent process decide on Ctrl-C, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
