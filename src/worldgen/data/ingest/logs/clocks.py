"""The clocks of log and video: times of log rows and of frames, and notes on their differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.cell_values import read_series, stated_units, time_column
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.logs.table import read_table
from worldgen.data.ingest.logs.time_cells import date_text
from worldgen.data.ingest.logs.units import ColumnMeaning, read_meanings

SKEW_TOLERANCE_S = 0.5
"""Differences between the ends of log and video above this are noted."""
MAX_LISTED_GAPS = 5
HOUR_S = 3600.0
GPS_LEAP_S = 18.0
"""GPS time is ahead of UTC by 18 s since 2017."""


def read_times(path: str | Path, num_frames: int | None = None) -> np.ndarray:
    """Frame times ``(num_frames,)`` in seconds on the clock of a table with a time column and one row per frame.

    num_frames: None takes as many as there are.

    Raises:
        InputError: a damaged table, no time column, another number of rows, or times that do not increase.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("times_file", str(path), "a table with a time column")
    table = read_table(path)
    config = EgoLogConfig()
    try:
        units, _ = stated_units(table, config, None)
        found = {n: m for n, m in read_meanings(table.names, {}, units).items() if m.quantity == "time"}
    except InputError as error:
        raise InputError(f"times file {path.name}, {error}") from error
    if not found and (dated := time_column(table)) is not None:
        found = {dated: ColumnMeaning("time", "text")}
    if not found:
        raise InputError(
            f"times file {path.name}", Received(f"columns {', '.join(table.names)}"), "a time column such as time_s"
        )
    times_s = read_series(table, config, found)[0]["time"]
    wrong_count = num_frames is not None and len(times_s) != num_frames
    if wrong_count or (np.diff(times_s) <= 0).any():
        raise InputError(
            f"times file {path.name}",
            Received(f"{len(times_s)} rows" if wrong_count else "times that do not increase"),
            f"{len(times_s) if num_frames is None else num_frames} increasing times, one per frame",
        )
    return times_s


def log_times(
    log: EgoLog, config: EgoLogConfig, frame_times_s: np.ndarray, start_s: float | None = None
) -> tuple[np.ndarray, list[str]]:
    """Times ``(M,)`` of the log's rows in seconds from the first frame, and a note on the clock that was taken.

    frame_times_s: ``(F,)`` from 0 on. start_s: time of the first frame on the clock of its file, None for a video's own
    clock, which begins at 0.

    Raises:
        InputError: a pose file whose number of rows is not that of the frames, or clocks that do not meet.
    """
    if log.times_s is None or config.clock == "frames":
        if len(log) != len(frame_times_s):
            raise InputError(
                f"ego log {log.name}", Received(f"{len(log)} rows"), f"{len(frame_times_s)}, one per frame"
            )
        if log.frame is not None and (log.frame != np.arange(len(log))).any():
            raise InputError(f"ego log {log.name}", Received("frame numbers out of order"), "frame i in row i, from 0")
        return frame_times_s + config.clock_offset_s, []
    times_s = log.times_s + config.clock_offset_s
    stop_s = float(frame_times_s[-1])
    if config.clock == "first_row" or config.frame_times == "log":
        return times_s - log.times_s[0], []
    if config.clock == "video" and start_s is not None:
        if _meet(times_s - start_s, stop_s):
            return times_s - start_s, []
        if _meet(times_s, stop_s):
            return times_s, ["log times count from the first frame; the times file has another clock"]
        raise _apart(log, times_s, start_s, stop_s)
    if not _meet(times_s, stop_s):
        raise _apart(log, times_s, 0.0, stop_s)
    return times_s, []


def _meet(times_s: np.ndarray, stop_s: float) -> bool:
    """Whether log times and the span from 0 to ``stop_s`` overlap."""
    return bool(times_s[0] <= stop_s and times_s[-1] >= 0)


def _apart(log: EgoLog, times_s: np.ndarray, start_s: float, stop_s: float) -> InputError:
    """The error of clocks that do not meet, with the offset that would join them where it has a known cause."""
    shift_s = start_s - float(times_s[0])
    hint = ""
    for quarter in range(-56, 57):
        offset_s = quarter * HOUR_S / 4
        if quarter and _meet(times_s + offset_s - start_s, stop_s) and abs(shift_s - offset_s) < HOUR_S / 4:
            hint = f" (they meet when the log is moved by {offset_s / HOUR_S:+g} h, a time zone: ego.time_zone)"
    if abs(abs(shift_s) - GPS_LEAP_S) < stop_s + 1:
        hint = f" ({GPS_LEAP_S:g} s are the difference of GPS time and UTC)"
    shown = f"{times_s[0]:.3f} to {times_s[-1]:.3f} s, video {start_s:.3f} to {start_s + stop_s:.3f} s"
    if start_s or date_text(float(times_s[0])).endswith("Z"):
        shown += f" (log from {date_text(float(times_s[0]))}"
        shown += f", video from {date_text(start_s)})" if start_s else ")"
    return InputError(
        f"ego log {log.name}",
        Received(shown),
        "log and video that overlap in time: set ego.clock_offset_s, times_file with the absolute times of the frames, "
        f"or ego.clock: first_row when the log starts with the video{hint}",
    )


def clock_notes(log: EgoLog, motion: LogMotion, frame_times_s: np.ndarray) -> list[str]:
    """Differences between the clocks of log and video, as sentences. frame_times_s: ``(F,)`` from 0 on."""
    log_start_s, log_stop_s, video_stop_s = (
        float(motion.times_s[0]),
        float(motion.times_s[-1]),
        float(frame_times_s[-1]),
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
    gaps = motion.row_gaps
    for start_s, stop_s in gaps[:MAX_LISTED_GAPS]:
        notes.append(f"log gap of {stop_s - start_s:.2f} s at {start_s:.2f} s")
    if len(gaps) > MAX_LISTED_GAPS:
        longest_s = max(stop_s - start_s for start_s, stop_s in gaps)
        notes.append(f"{len(gaps) - MAX_LISTED_GAPS} more log gaps, the longest of all of {longest_s:.2f} s")
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
