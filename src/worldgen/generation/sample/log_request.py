"""Ego motion of a request from a log file, read with the settings that an ingest of the same log would use."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.logs.clocks import frame_times_from_log, read_times
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog, read_ego_log
from worldgen.data.ingest.logs.motion_from_log import motion_from_log
from worldgen.data.ingest.logs.table import SUFFIXES
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.probing import probe

LOG_MARK = ".ego"


def is_log_file(ego: str) -> bool:
    """Whether the text of an ego motion names a log, and not a manoeuvre or waypoints."""
    text = ego.strip()
    return bool(text) and not text.startswith("(") and (Path(text).suffix.lower() in SUFFIXES or Path(text).exists())


def settings_of_log(config: IngestConfig, log: str | Path, video: str | Path = "") -> SourceConfig:
    """The settings that an ingest has for a log: those of the entry of ``sources`` that names its video, over the
    defaults.

    Entries are paths and patterns below a SOURCE folder that is not known here, so an entry is taken when it fits the
    end of a path: of the video that is continued, else of a video beside the log with its name.
    """
    path = Path(log)
    own = path.with_name(path.name.removesuffix(path.suffix).removesuffix(LOG_MARK))
    for file in filter(None, [Path(video) if video else None, own]):
        parts = file.absolute().parts
        ends = ["/".join(parts[start:]) for start in range(len(parts) - 1, 0, -1)]
        for entry, settings in config.sources.items():
            names = (entry, entry.removesuffix(Path(entry).suffix))
            if any(fnmatchcase(end, name) for name in names for end in ends):
                return settings.over(config.defaults)
    return config.defaults


def log_motion(
    path: Path, settings: SourceConfig, *, times_s: np.ndarray, fps: float, video: str = ""
) -> tuple[EgoMotion, list[str]]:
    """Ego motion of frames at ``times_s`` ``(T,)`` seconds from the first frame of the video, shown at ``fps``, and
    what is to be said about the log.

    video: the file that the frames are of, whose frame times give the rows of a log that has none; "" without one.

    Raises:
        InputError: a log that cannot be read, and times at which it holds no motion.
    """
    config = settings.ego or EgoLogConfig()
    stated_s = _stated_times(settings, path, video)
    span_s = None if stated_s is None else (float(stated_s[0]), float(stated_s[-1]))
    log = read_ego_log(path, config, frames_s=span_s)
    frames_s = times_s if stated_s is None else stated_s - stated_s[0]
    if config.frame_times == "log" and log.row_times_s is not None:
        frames_s = frame_times_from_log(log, len(log.row_times_s))
    elif log.times_s is None or config.clock == "frames":
        frames_s = _row_times(log, settings, frames_s if stated_s is not None else None, video)
    start_s = None if span_s is None or config.frame_times == "log" else span_s[0]
    motion = motion_from_log(log, config, frames_s, start_s)
    if not motion.covers_span(float(times_s[0]), float(times_s[-1])):
        raise InputError(
            f"ego log {path}", Received(f"{motion.valid_s[0]:.2f} to {motion.valid_s[1]:.2f} s"),
            f"{times_s[0]:.2f} to {times_s[-1]:.2f} s without gaps, for {len(times_s)} frames at {fps:g} fps",
        )  # fmt: skip
    return motion.ego(times_s, fps, before_s=float(times_s[0]) - 1.0 / fps), [*log.notes, *motion.notes]


def _stated_times(settings: SourceConfig, log: Path, video: str) -> np.ndarray | None:
    """Frame times ``(F,)`` of the times file of the settings, None without one.

    It is looked for beside the video or the log, then in the folders above.
    """
    if settings.times_file is None:
        return None
    place = Path(video) if video else log
    stem = place.name.removesuffix(place.suffix).removesuffix(LOG_MARK)
    wanted = settings.times_file.replace("{stem}", stem)
    for folder in place.absolute().parents:
        if (folder / wanted).is_file():
            return read_times(folder / wanted)
    raise InputError("times_file", wanted, f"a file in the folder of {place.name} or above it")


def _row_times(log: EgoLog, settings: SourceConfig, stated_s: np.ndarray | None, video: str) -> np.ndarray:
    """Times ``(M,)`` in seconds of the rows of a log whose row i is at frame i."""
    if stated_s is not None:
        return stated_s
    if video:
        return probe(video).times_s
    if settings.native_fps is not None:
        return np.arange(len(log)) / settings.native_fps
    raise InputError(
        f"ego log {log.name}",
        Received("a row per frame, and no times"),
        "native_fps or times_file in the settings of the log, or the video as context",
    )
