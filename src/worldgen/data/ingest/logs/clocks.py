"""The clocks of log and video: times of log rows and of frames, and notes on their differences."""

from __future__ import annotations

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.ego_log import EgoLog, EgoLogConfig
from worldgen.data.ingest.logs.log_motion import LogMotion

SKEW_TOLERANCE_S = 0.5
"""Differences between the ends of log and video above this are noted."""


def log_times(log: EgoLog, config: EgoLogConfig, frame_times_s: np.ndarray) -> np.ndarray:
    """Times ``(M,)`` of the log's rows in seconds on the video's clock. frame_times_s: ``(F,)`` from 0 on.

    Raises:
        InputError: a pose file whose number of rows is not that of the frames.
    """
    if log.times_s is None:
        if len(log) != len(frame_times_s):
            raise InputError(
                f"pose file {log.name}", Received(f"{len(log)} rows"), f"{len(frame_times_s)}, one per frame"
            )
        return frame_times_s + config.clock_offset_s
    zero_s = log.times_s[0] if config.clock == "first_row" or config.frame_times == "log" else 0.0
    return log.times_s - zero_s + config.clock_offset_s


def clock_notes(log: EgoLog, motion: LogMotion, frame_times_s: np.ndarray) -> list[str]:
    """Differences between the clocks of log and video, as sentences. frame_times_s: ``(F,)`` from 0 on.

    Raises:
        InputError: log and video do not overlap in time.
    """
    log_start_s, log_stop_s, video_stop_s = (
        float(motion.times_s[0]),
        float(motion.times_s[-1]),
        float(frame_times_s[-1]),
    )
    if log_start_s > video_stop_s or log_stop_s < 0:
        raise InputError(
            f"ego log {log.name}",
            Received(f"{log_start_s:.3f} to {log_stop_s:.3f} s, video 0 to {video_stop_s:.3f} s"),
            "log and video that overlap in time: set ego.clock_offset_s, or ego.clock: first_row when the log starts "
            "with the video",
        )
    notes = []
    if log.num_duplicates:
        notes.append(f"{log.num_duplicates} log rows with a repeated time stamp dropped")
    if log_start_s > SKEW_TOLERANCE_S:
        notes.append(f"log starts {log_start_s:.2f} s after the video")
    if video_stop_s - log_stop_s > SKEW_TOLERANCE_S:
        notes.append(f"log ends {video_stop_s - log_stop_s:.2f} s before the video")
    span_s = log_stop_s - log_start_s
    rows_match_frames = log.row_times_s is not None and len(log.row_times_s) == len(frame_times_s)
    if rows_match_frames and video_stop_s > 0 and abs(span_s / video_stop_s - 1) > 1e-3:
        notes.append(
            f"one log row per frame, but the log's clock runs {100 * (span_s / video_stop_s - 1):+.2f} % against the "
            "video's: ego.frame_times: log would use the log's times"
        )
    for start_s, stop_s in motion.gaps():
        notes.append(f"log gap of {stop_s - start_s:.2f} s at {start_s:.2f} s")
    return notes


def frame_times_from_log(log: EgoLog, num_frames: int) -> np.ndarray:
    """Times ``(num_frames,)`` in seconds of a video's frames, from 0 on, by a log with one row per frame.

    A ``frame`` column holds the frame number of each row; without one, row i is frame i. Repeated time stamps are
    spread by a microsecond, so that times increase; resampling never picks both of such frames.

    Raises:
        InputError: a log without times, rows and frames that do not match one to one, or times that decrease.
    """
    times_s = log.row_times_s
    if times_s is None:
        raise InputError("ego.frame_times", "log", "a log with a time column")
    frame = np.arange(len(times_s)) if log.frame is None else log.frame
    if len(times_s) != num_frames or (np.sort(frame) != np.arange(num_frames)).any():
        raise InputError(
            f"ego log {log.name}",
            Received(
                f"{len(times_s)} rows"
                + ("" if log.frame is None else f" for frames {frame.min():g} to {frame.max():g}")
            ),
            f"one row for each of the {num_frames} frames (frames count from 0)",
        )
    out = np.empty(num_frames)
    out[frame.astype(np.int64)] = times_s
    if (np.diff(out) < 0).any():
        raise InputError(
            f"ego log {log.name}", Received("frames whose times go back"), "times in the order of the frames"
        )
    out -= out[0]
    for i in np.flatnonzero(np.diff(out) <= 0):
        out[i + 1] = out[i] + 1e-6
    return out
