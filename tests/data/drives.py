"""Small drives on disk for the ingest tests."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.data.video.encoding import write_clip


def picture(index: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """An image whose grey level encodes its frame number (3 levels a frame); the left half of its top row is bright."""
    width, height = size
    frame = np.full((height, width, 3), 20 + 3 * (index % 70), np.uint8)
    frame[: height // 4, : width // 2] = 250
    return frame


def frame_number(frame: np.ndarray) -> int:
    """The frame number (modulo 70) that :func:`picture` drew."""
    return round((float(np.median(frame[frame.shape[0] // 2 :])) - 20) / 3)


def make_video(path: Path, frames: int = 60, fps: float = 20.0, size: tuple[int, int] = (96, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, Clip(np.stack([picture(i, size) for i in range(frames)]), fps), crf=10)
    return path


def make_variable_video(path: Path, times_ms: list[int]) -> Path:
    """A video whose frame i is shown at ``times_ms[i]``."""
    from fractions import Fraction

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for index, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_frames(folder: Path, frames: int = 12, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        assert cv2.imwrite(str(folder / f"f{index}{suffix}"), picture(index)[..., ::-1])  # f9 before f10: natural order
    return folder


def write_log(path: Path, seconds: float = 3.0, *, speed_kmh: float = 36.0, yaw_rate_degps: float = 5.0) -> Path:
    rows = [f"{t:.2f},{speed_kmh},{yaw_rate_degps}" for t in np.arange(0, seconds + 1e-9, 0.25)]
    path.write_text("\n".join(["time_s,speed_kmh,yaw_rate_degps", *rows]) + "\n")
    return path
