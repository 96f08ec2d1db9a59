"""Logs whose columns a public format fixes: KITTI odometry poses and the OXTS records of KITTI raw data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.log_table import Table

KITTI_NUMBERS = 12
OXTS_COLUMNS = {0: "lat_deg", 1: "lon_deg", 5: "yaw_rad", 8: "speed_mps", 19: "yaw_rate_radps"}
"""Position in a line -> column that is read. Source: ``dataformat.txt`` of the KITTI raw development kit: lat, lon, yaw
(0 is east, counter-clockwise), vf (forward velocity), wu (rotation about the axis that points up)."""
OXTS_NUMBERS = 30
OXTS_TIMES = "timestamps.txt"


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path.name}", Received("bytes that are not text"), "lines of numbers") from error
    except OSError as error:
        raise InputError(f"{what} {path.name}", Received(error.strerror or str(error)), "a readable file") from error


def read_kitti_matrices(path: Path) -> np.ndarray:
    """KITTI odometry poses ``(M, 4, 4)`` from camera i to camera 0, in metres, from 12 numbers a line (3x4 by rows).

    Source: KITTI odometry devkit readme (https://www.cvlibs.net/datasets/kitti/eval_odometry.php).

    Raises:
        InputError: text in numbers, lines of another length, matrices that are no rotation, fewer than two rows.
    """
    matrices = []
    for number, line in enumerate(_text(path, "pose file").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"pose file {path.name}, line {number}"
        if len(words) != KITTI_NUMBERS:
            raise InputError(where, Received(f"{len(words)} numbers"), f"{KITTI_NUMBERS}: a 3x4 matrix by rows")
        try:
            values = np.array([float(word) for word in words])
        except ValueError as error:
            raise InputError(where, Received("text in numbers"), f"{KITTI_NUMBERS} numbers") from error
        matrix = np.vstack([values.reshape(3, 4), [0, 0, 0, 1]])
        if not np.isfinite(matrix).all() or np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() > 0.01:
            raise InputError(where, Received("a matrix whose first three columns are no rotation"), "a rigid 3x4 pose")
        matrices.append(matrix)
    if len(matrices) < 2:
        raise InputError(f"pose file {path.name}", Received(f"{len(matrices)} rows"), "at least two rows")
    return np.array(matrices)


def oxts_files(folder: Path) -> list[Path]:
    """The files of the OXTS records below ``folder`` in order, with the file of their times first."""
    return [folder / OXTS_TIMES, *sorted((folder / "data").glob("*.txt"))]


def read_oxts_table(folder: Path) -> Table:
    """The records of the folder ``oxts`` of a KITTI raw drive: ``timestamps.txt``, and a file of 30 numbers for each
    of its lines in ``data``.

    Raises:
        InputError: a missing file, another number of files than times, or a file that is not 30 numbers.
    """
    times, *files = oxts_files(folder)
    if not times.is_file() or len(files) < 2:
        raise InputError(f"OXTS folder {folder.name}", str(folder), f"{OXTS_TIMES} and data/*.txt")
    stamps = [line.strip() for line in _text(times, "OXTS times").splitlines() if line.strip()]
    if len(stamps) != len(files):
        raise InputError(
            f"OXTS folder {folder.name}", Received(f"{len(stamps)} times, {len(files)} files"), "one file per time"
        )
    cells: dict[str, list[str]] = {"timestamp": stamps, **{name: [] for name in OXTS_COLUMNS.values()}}
    for path in files:
        words = _text(path, "OXTS file").split()
        if len(words) != OXTS_NUMBERS:
            raise InputError(f"OXTS file {path.name}", Received(f"{len(words)} numbers"), f"{OXTS_NUMBERS}")
        for position, name in OXTS_COLUMNS.items():
            cells[name].append(words[position])
    return Table(folder, tuple(cells), cells, "file", 1)
