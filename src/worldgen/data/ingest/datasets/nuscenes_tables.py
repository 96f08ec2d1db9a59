"""The JSON tables of nuScenes, by token, and the frames of a camera in each scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_json

TABLES = (
    "scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor", "sample_annotation", "instance",
    "category", "attribute",
)  # fmt: skip

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class NuscenesTables:
    """The records of a version of nuScenes. version: name of its folder. rows: table -> token -> record."""

    version: str
    rows: dict[str, dict[str, Record]]

    def channel(self, data: Record) -> str:
        """The sensor of a record of ``sample_data``, as ``CAM_FRONT``."""
        sensor = self.rows["calibrated_sensor"][data["calibrated_sensor_token"]]["sensor_token"]
        return str(self.rows["sensor"][sensor]["channel"])


def read_tables(root: Path) -> NuscenesTables:
    """The tables below ``root``: a folder ``v1.0-...`` in it, or ``root`` itself.

    Raises:
        InputError: no version or several, or a table that is missing or damaged.
    """
    found = [path.parent for path in (*root.glob("scene.json"), *root.glob("v1.0-*/scene.json"))]
    if len(found) != 1:
        names = ", ".join(sorted(path.name for path in found)) or "no v1.0-*/scene.json"
        raise InputError("nuscenes", Received(f"{names} in {root}"), "the folder of one version")
    rows: dict[str, dict[str, Record]] = {}
    for table in TABLES:
        path = found[0] / f"{table}.json"
        if not path.is_file():
            raise InputError("nuscenes", Received(f"no {path.name} in {found[0].name}"), ", ".join(TABLES))
        try:
            rows[table] = {str(record["token"]): record for record in read_json(path, f"table {path.name}")}
        except (TypeError, KeyError) as error:
            raise InputError(f"table {path.name}", Received("records without token"), "a list of records") from error
    return NuscenesTables(found[0].name, rows)


def frames_of_scenes(tables: NuscenesTables, channel: str) -> dict[str, list[Record]]:
    """Scene token -> records of ``sample_data`` of a sensor in order of time, key frames and sweeps."""
    scene_of = {token: str(sample["scene_token"]) for token, sample in tables.rows["sample"].items()}
    out: dict[str, list[Record]] = {token: [] for token in tables.rows["scene"]}
    for data in tables.rows["sample_data"].values():
        if tables.channel(data) == channel:
            out[scene_of[data["sample_token"]]].append(data)
    for frames in out.values():
        frames.sort(key=lambda data: data["timestamp"])
    return out
