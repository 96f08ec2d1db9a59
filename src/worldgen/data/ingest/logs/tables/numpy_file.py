"""Tables in ``.npy`` files: an array of rows and columns, or records with named fields."""

from __future__ import annotations

import tokenize
import warnings
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout


def read_numpy_table(path: Path, layout: TableLayout) -> Table:
    """The columns of a NumPy file. An array ``(R, C)`` needs ``layout.column_names``; ``(R,)`` is a column ``time``.

    Raises:
        InputError: a damaged file, an array of objects, another shape, or columns without names.
    """
    what = f"ego log {path.name}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers written by Python 2, which are read all the same
            array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, SyntaxError, TypeError, tokenize.TokenError) as error:
        raise InputError(what, Received("a file that is not a .npy array of numbers"), "rows of numbers") from error
    if not isinstance(array, np.ndarray):
        raise InputError(what, Received("an archive of arrays"), "one .npy array")
    if array.dtype.names and array.ndim == 1:
        names = tuple(array.dtype.names)
        return Table(path, names, {name: array[name].tolist() for name in names}, "row", 1)
    if array.ndim not in (1, 2) or array.dtype.kind not in "iufM":
        raise InputError(what, Received(f"shape {array.shape}, {array.dtype}"), "rows of numbers, (R, C)")
    units = {}
    if array.dtype.kind == "M":
        unit = np.datetime_data(array.dtype)[0]
        units = {"time": unit} if unit in ("s", "ms", "us", "ns") else {}
        array = array.astype(np.int64)
    columns = array[:, None] if array.ndim == 1 else array
    names = layout.column_names or (("time",) if columns.shape[1] == 1 else ())
    if len(names) != columns.shape[1]:
        raise InputError(
            what, Received(f"{columns.shape[1]} columns and {len(names)} names"),
            f"ego.column_names: a name for each of the {columns.shape[1]} columns, as in [time_s, speed_mps, -]",
        )  # fmt: skip
    cells = {name: columns[:, i].tolist() for i, name in enumerate(names) if name != "-"}
    return Table(path, tuple(name for name in names if name != "-"), cells, "row", 1, units=units)
