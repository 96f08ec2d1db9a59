"""GPX tracks: times and positions of GPS receivers and phones, with speed and course where they are stated."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout


def read_gpx_table(path: Path, layout: TableLayout) -> Table:
    """The points of all tracks of a GPX file, a row each: ``time``, ``lat_deg``, ``lon_deg``, ``speed_mps`` and
    ``heading_deg``. Points without a time are left out.

    Source: GPX 1.0 and 1.1 (https://www.topografix.com/gpx.asp) and Garmin's TrackPointExtension v2, in which speed is
    in m/s and course in degrees from true north.

    Raises:
        InputError: a damaged file, a document type (it could define entities without end), or no point with a time.
    """
    del layout
    what = f"ego log {path.name}"
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise InputError(what, Received("a document type"), "a GPX file without one")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(what, Received(f"no XML ({error})"), "a GPX file") from error
    rows = []
    for point in root.iter():
        if _tag(point) != "trkpt":
            continue
        values = {_tag(child): (child.text or "").strip() for child in point.iter() if child is not point}
        if values.get("time"):
            cells = (values["time"], point.get("lat"), point.get("lon"), values.get("speed"), values.get("course"))
            rows.append(cells)
    if not rows:
        raise InputError(what, Received("no track point with a time"), "points <trkpt lat lon> with <time>")
    names = ("time", "lat_deg", "lon_deg", "speed_mps", "heading_deg")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    used = tuple(name for name in names if any(cell not in (None, "") for cell in columns[name]))
    return Table(path, used, {name: columns[name] for name in used}, "track point", 1)


def _tag(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2].lower()
