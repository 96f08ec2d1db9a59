"""The plan of one source: its clock, ego motion, camera, labels, and the windows cut from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.data.ingest.annotations import annotated_labels, read_xywh_rows
from worldgen.data.ingest.captions import TimedCaption, read_captions
from worldgen.data.ingest.drives.name_drives import looks_elsewhere
from worldgen.data.ingest.frame_grid import FrameGrid, resample
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.logs.clocks import clock_notes, frame_times_from_log
from worldgen.data.ingest.logs.ego_log import EgoLog, EgoLogConfig, read_ego_log
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.logs.motion_from_log import motion_from_log
from worldgen.data.ingest.pixels.known_width import with_known_width
from worldgen.data.ingest.pixels.motion_check import motion_notes
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion, PixelMotionReader
from worldgen.data.ingest.source_config import CameraConfig
from worldgen.data.ingest.source_files import NO_FILE
from worldgen.data.ingest.source_frames import (
    FrameLook,
    frame_info,
    iter_source_frames,
    look_at_frames,
    steps_without_gaps,
)
from worldgen.data.ingest.sources import ClipSource
from worldgen.data.video.framing import Framing, framing
from worldgen.data.video.probing import VideoInfo

UNEVEN_STEP, UNEVEN_SHARE = 1 / 3, 0.05
"""A step between frames that deviates by more than ``UNEVEN_STEP`` periods is uneven. A share of uneven steps above
``UNEVEN_SHARE`` is visible, and noted."""
RIPPLE_STEP, NEAR_RATE, STEADY_STEP = 0.1, 0.15, 0.1
"""Smaller deviations, from ``RIPPLE_STEP`` periods on, are noted where a rate within ``NEAR_RATE`` of the wanted one
has none: that of a source whose own steps differ by less than ``STEADY_STEP`` of them."""


@dataclass(frozen=True)
class SourceWindow:
    """A run of ticks of one source, which becomes one sample. start_tick, num_frames: on the grid of the source."""

    start_tick: int
    num_frames: int


@dataclass(frozen=True, eq=False)
class SourcePlan:
    """Everything about a source except its pixels.

    digest: hash of its content. info: number, times and size of its frames. log, motion: the ego log, and its motion on
    the video's clock, or None. motion_at: see ``IngestConfig``. frame_times_s: ``(F,)`` times of all frames, from the
    file or from the log. grid: ticks at the target rate. frame_of: crop and resize. camera: of the result;
    camera_given: whether the config states its lens. labels: of all frames, in source pixels, or None. captions: with
    their times. windows: the samples. notes: sentences for the report. look: what its pixels show, None where they were
    not decoded. pixels: motion measured from the pixels, where ``motion`` is that; None with a log.
    """

    source: ClipSource
    digest: str
    info: VideoInfo
    log: EgoLog | None
    motion: LogMotion | None
    motion_at: str
    frame_times_s: np.ndarray
    grid: FrameGrid
    frame_of: Framing
    camera: Camera
    camera_given: bool
    labels: Labels | None
    captions: tuple[TimedCaption, ...]
    windows: tuple[SourceWindow, ...]
    notes: tuple[str, ...]
    look: FrameLook | None = None
    pixels: PixelMotion | None = None

    def start_s(self, window: SourceWindow) -> float:
        """Start of a window in seconds on the video's clock."""
        return window.start_tick / self.grid.fps

    def frame_indices(self, window: SourceWindow) -> np.ndarray:
        """Source frame of each frame of a window, ``(num_frames,)`` int64."""
        return self.grid.frame_index[window.start_tick : window.start_tick + window.num_frames]

    def ego(self, window: SourceWindow, *, at: Literal["frames", "ticks"] | None = None) -> EgoMotion | None:
        """Ego motion of a window, None where it is unknown. at: see ``IngestConfig.motion_at``, the default."""
        start, stop, period_s = window.start_tick, window.start_tick + window.num_frames, 1 / self.grid.fps
        if self.motion is None or not self.motion.covers_span(start * period_s, (stop - 1) * period_s):
            return None
        times_s, before_s = np.arange(start, stop) * period_s, (start - 1) * period_s
        if (at or self.motion_at) == "frames":
            times_s = self.frame_times_s[self.grid.frame_index[start:stop]]
            has_frame = start > 0 and self.grid.frame_index[start - 1] >= 0
            before_s = float(
                self.frame_times_s[self.grid.frame_index[start - 1]] if has_frame else times_s[0] - period_s
            )
        return self.motion.ego(times_s, self.grid.fps, before_s=before_s)

    def window_labels(self, window: SourceWindow) -> Labels | None:
        """Labels of a window in its frames and pixels, without objects outside the image; None without labels."""
        if self.labels is None:
            return None
        tick_of = {int(frame): tick for tick, frame in enumerate(self.frame_indices(window))}
        inside = self.labels.where(np.isin(self.labels.frame_index, list(tick_of)))
        ticks = np.array([tick_of[int(frame)] for frame in inside.frame_index], np.int64)
        framed = self.frame_of.labels(replace(inside, num_frames=window.num_frames, frame_index=ticks))
        return framed.where(framed.visible_fraction > 0)


def plan_source(source: ClipSource, config: IngestConfig, reader: PixelMotionReader | None = None) -> SourcePlan:
    """Read the headers, log, labels and captions of a source, and cut its windows.

    Every frame is decoded too, to find cuts and repeated frames and for ``verify: decode``. reader: measures motion
    from pixels, where the config asks for that.

    Raises:
        InputError: a file of the source that is damaged or does not fit, or a crop outside the image.
    """
    info = frame_info(source)
    log, motion, times_s, clock = _clock(source, info)
    notes = [*_video_notes(source, info), *clock]
    camera = (source.config.camera or CameraConfig()).camera(info.width_px, info.height_px)
    pixels, said = _pixel_motion(source, config, reader, camera=camera, times_s=times_s, motion=motion)
    notes += said
    ego_config = source.config.ego or EgoLogConfig()
    if pixels is not None and not pixels.unknown:
        motion = pixels.as_log(ego_config.max_speed_sigma, ego_config.max_yaw_rate_sigma_radps)
        if not _lens_stated(source) and pixels.camera is not None:
            camera = pixels.camera
        elif pixels.camera is not None:
            camera = replace(camera, height_m=pixels.camera.height_m)
    labels = _labels(source, info)
    fps = source.config.fps or config.fps
    looks_for = (source.config.cuts != "ignore", source.config.repeats != "keep", config.verify == "decode")
    look = look_at_frames(source, info) if any(looks_for) else None
    if source.kind == "images":
        # Pictures without order: each is a tick of its own, at the rate of the config.
        times_s = np.arange(info.num_frames) / fps
        grid = resample(times_s, fps, None)
        windows = tuple(SourceWindow(i, 1) for i in range(info.num_frames))
    else:
        keeps_unknown = pixels is not None or ego_config.outside == "unknown"
        cuts, usable = ((), None) if look is None else (look.cuts, look.kept)
        grid = resample(times_s, fps, None if keeps_unknown else motion, cuts=cuts, kept=usable)
        windows = _cut(grid, config)
        notes += _look_notes(look, times_s)
        notes += _rate_notes(info, times_s if usable is None else times_s[usable], times_s, grid)
    frame_of = source_framing(source, info, (config.width_px, config.height_px))
    if frame_of.width_px > frame_of.crop_width_px:
        notes.append(f"pictures enlarged {frame_of.width_px / frame_of.crop_width_px:.3g} times")
    plan = SourcePlan(
        source=source, digest=source.digest(), info=info, log=log, motion=motion, motion_at=config.motion_at,
        frame_times_s=times_s, grid=grid, frame_of=frame_of, camera=frame_of.camera(camera),
        camera_given=_lens_stated(source), labels=labels, look=look, pixels=pixels,
        captions=() if source.caption_path is None else read_captions(source.caption_path), windows=windows, notes=(),
    )  # fmt: skip
    kept = tuple(window for window in windows if not _too_slow(plan, window, config.min_speed_mps))
    if len(kept) < len(windows):
        notes.append(f"{counted(len(windows) - len(kept), 'window')} below {config.min_speed_mps:g} m/s left out")
    if not windows:
        longest = max((stop - start for start, stop in grid.spans), default=0)
        notes.append(f"no window: the longest run of usable frames is {longest} of {config.num_frames}")
    return replace(plan, windows=kept, notes=tuple(notes))


def _clock(source: ClipSource, info: VideoInfo) -> tuple[EgoLog | None, LogMotion | None, np.ndarray, list[str]]:
    """The log, its motion on the video's clock, the frame times ``(F,)``, and notes about the two clocks."""
    ego_config = source.config.ego or EgoLogConfig()
    recording = source.recording
    if source.ego_path is None and (recording is None or recording.log is None):
        stated = source.config.ego is not None and source.config.ego.path != NO_FILE and not ego_config.from_video
        return None, None, info.times_s, ["the config describes an ego log, but none is beside this source"] * stated
    begin_s = info.begin_s
    span_s = None if begin_s is None else (begin_s, begin_s + float(info.times_s[-1]))
    if recording is not None and recording.log is not None:
        log = recording.log
    else:
        assert source.ego_path is not None, source.name
        log = read_ego_log(source.ego_path, ego_config, frames_s=span_s)
    times_s, notes = info.times_s, list(log.notes)
    if ego_config.frame_times == "log":
        times_s, begin_s = frame_times_from_log(log, info.num_frames), None
        notes.append("frame times taken from the log")
    motion = motion_from_log(log, ego_config, times_s, begin_s)
    return log, motion, times_s, [*notes, *motion.notes, *clock_notes(log, motion, times_s)]


def _pixel_motion(
    source: ClipSource, config: IngestConfig, reader: PixelMotionReader | None, *, camera: Camera,
    times_s: np.ndarray, motion: LogMotion | None,
) -> tuple[PixelMotion | None, list[str]]:  # fmt: skip
    """Motion measured from the pixels of a source without a log, and notes: on it, or on how a log fits the pixels.

    times_s: ``(F,)`` of the frames.
    """
    ego_config = source.config.ego or EgoLogConfig()
    wanted = config.check_motion if motion is not None else ego_config.from_video
    width = None if source.config.camera is None else source.config.camera.known_width
    if not wanted or source.kind == "images" or reader is None:
        return None, ["known width of the camera not used: motion is not measured from pixels"] * (width is not None)
    frames = ((float(times_s[index]), pixels) for index, pixels in iter_source_frames(source))
    measured = reader(frames, camera, camera_given=_lens_stated(source))
    if width is not None and not measured.unknown:
        measured = with_known_width(measured, width, camera, source.name)
    if motion is None:
        if measured.unknown:
            return None, [f"no motion from pixels: {measured.unknown}"]
        share = float(measured.uncertain(ego_config.max_speed_sigma, ego_config.max_yaw_rate_sigma_radps).mean())
        part = "less than 1" if share < 0.01 else f"{100 * share:.0f}"
        said = [f"motion from pixels is too uncertain in {part} % of the time"] if share else []
        return measured, [*measured.notes, *said]
    return None, motion_notes(motion, measured, ego_config)


def _lens_stated(source: ClipSource) -> bool:
    """Whether the config states the field of view of a source; a height alone leaves it to the pixels."""
    return source.config.camera is not None and source.config.camera.states_lens


def source_framing(source: ClipSource, info: VideoInfo, size: tuple[int, int]) -> Framing:
    """The framing of a source: its ``crop_px``, then the largest centred window with the aspect ratio of ``size``.

    Raises:
        InputError: a crop outside the image.
    """
    crop = source.config.crop_px
    if crop is None:
        return framing((info.width_px, info.height_px), size)
    x0, y0, width, height = crop
    if min(crop) < 0 or width < 1 or height < 1 or x0 + width > info.width_px or y0 + height > info.height_px:
        raise InputError(
            f"crop_px of {source.name}", tuple(crop), f"x0, y0, width, height inside {info.width_px}x{info.height_px}"
        )
    inner = framing((width, height), size)
    return replace(inner, x0_px=inner.x0_px + x0, y0_px=inner.y0_px + y0)


def _cut(grid: FrameGrid, config: IngestConfig) -> tuple[SourceWindow, ...]:
    """Windows of ``num_frames`` at every stride, and one shorter window for short spans."""
    windows = []
    for start, stop in grid.spans:
        length = stop - start
        if length >= config.num_frames:
            windows += [
                SourceWindow(t, config.num_frames)
                for t in range(start, stop - config.num_frames + 1, config.stride_frames)
            ]
        elif config.min_frames is not None and length >= config.min_frames:
            windows.append(SourceWindow(start, length))
    return tuple(windows)


def _too_slow(plan: SourcePlan, window: SourceWindow, min_speed_mps: float) -> bool:
    """Whether the known speed stays below the limit in the whole window."""
    ego = plan.ego(window, at="ticks") if min_speed_mps > 0 else None
    return ego is not None and float(np.abs(ego.speed_mps).max()) < min_speed_mps


def _video_notes(source: ClipSource, info: VideoInfo) -> list[str]:
    """Notes on how the frames of a video are read."""
    notes = [] if source.recording is None else list(source.recording.notes)
    if info.num_tracks > 1:
        used = source.config.video_track or 0
        notes.append(f"{info.num_tracks} video tracks: number {used} is used; video_track chooses another")
    if info.pixel_aspect != 1:
        notes.append(f"pixels {info.pixel_aspect:.4g} times as wide as high: made square, {info.width_px} px wide")
    if info.interlaced:
        notes.append("interlaced: two fields become one frame")
    if info.hdr:
        notes.append(f"HDR ({info.hdr}): tone mapped to standard range")
    if source.ego_path is not None and looks_elsewhere(source.stem):
        notes.append(
            "the name says that this camera looks backwards or sideways, and the log says how the car moves: leave it "
            "out (exclude), or train without its motion (ego.path: none)"
        )
    if source.config.damage == "intact_part" and info.promised_frames > info.num_frames:
        notes.append(f"cut short: the intact part has {info.num_frames} of {info.promised_frames} frames")
    return notes


def _look_notes(look: FrameLook | None, times_s: np.ndarray) -> list[str]:
    """Notes on cuts and repeated frames. times_s: ``(F,)`` of all frames."""
    notes: list[str] = []
    if look is None:
        return notes
    if look.cuts:
        shown = ", ".join(f"{times_s[frame]:.2f}" for frame in look.cuts[:5]) + (", ..." if len(look.cuts) > 5 else "")
        notes.append(f"{counted(len(look.cuts), 'cut')}, at {shown} s: no window crosses one (cuts: ignore)")
    repeated = len(times_s) - len(look.kept)
    if repeated:
        notes.append(
            f"{repeated} of {counted(len(times_s), 'frame')} left out as repeats of the one before (repeats: keep): "
            "the file was stored at too high a rate"
        )
    return notes


def _rate_notes(info: VideoInfo, kept_s: np.ndarray, times_s: np.ndarray, grid: FrameGrid) -> list[str]:
    """Notes on variable, low and uneven frame rates. kept_s: times of the frames that may be used."""
    notes = []
    if info.variable_rate:
        notes.append("variable frame rate: true frame times are used")
    rate = 1 / float(steps_without_gaps(kept_s).mean()) if len(kept_s) > 1 else info.fps
    steps_s = np.diff(times_s[grid.frame_index[grid.frame_index >= 0]])
    share = float((np.abs(steps_s * grid.fps - 1) > UNEVEN_STEP).mean()) if len(steps_s) else 0.0
    if rate < grid.fps * 0.999:
        notes.append(f"{rate:.4g} frames per second are fewer than the {grid.fps:g} wanted: lower fps for this source")
    else:
        even = rate / max(1, round(rate / grid.fps))
        if share > UNEVEN_SHARE:
            hint = f": fps {even:.4g} shows evenly spaced frames" if abs(even / grid.fps - 1) > 0.01 else ""
            notes.append(f"motion is uneven, {100 * share:.0f} % of steps are off by more than a third{hint}")
        elif _ripples(steps_s * grid.fps, kept_s) and 0.01 < abs(even / grid.fps - 1) < NEAR_RATE:
            least, most = (f"{1000 * end:.0f}" for end in (steps_s.min(), steps_s.max()))
            notes.append(
                f"frames shown are {least} to {most} ms apart, and speeds ripple as they do: "
                f"fps {even:.4g} shows evenly spaced frames"
            )
    missing = int((grid.frame_index < 0).sum())
    if missing and rate >= grid.fps * 0.999:
        notes.append(f"{missing} of {counted(len(grid.frame_index), 'tick')} without a frame near enough")
    return notes


def _ripples(steps: np.ndarray, kept_s: np.ndarray) -> bool:
    """Whether steps of a clip, in its periods, are uneven though those of its source, at ``kept_s``, are even."""
    own_s = steps_without_gaps(kept_s)
    regular = len(own_s) > 1 and float(own_s.std()) < STEADY_STEP * float(own_s.mean())
    return regular and len(steps) > 0 and float((np.abs(steps - 1) > RIPPLE_STEP).mean()) > UNEVEN_SHARE


def _labels(source: ClipSource, info: VideoInfo) -> Labels | None:
    """The labels of all frames of a source in source pixels, or None."""
    size = (info.width_px, info.height_px)
    if source.kind == "images":
        for image in source.coco:
            if (image.width_px, image.height_px) != size:
                raise InputError(
                    f"image {image.file_name} of {source.name}",
                    Received(f"{image.width_px}x{image.height_px} pixels"),
                    f"{size[0]}x{size[1]}, as the first",
                )
        rows = [(i, cls, track, *box) for i, image in enumerate(source.coco) for cls, track, *box in image.boxes]
        return annotated_labels(rows, info.num_frames, size)
    if source.recording is not None and source.recording.boxes is not None:
        return annotated_labels(source.recording.boxes, info.num_frames, size)
    if source.labels_path is None or source.config.labels is None:
        return None
    return read_xywh_rows(source.labels_path, source.config.labels, info.num_frames, size)
