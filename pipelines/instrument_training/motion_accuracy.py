"""Accuracy of the motion reader on held-out rendered clips and on real clips."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

from worldgen.core.samples import Sample
from worldgen.evaluation.measures.intervals import Interval
from worldgen.evaluation.measures.motion_control import MotionPair, control_rows, slices
from worldgen.instruments.instrument_files import stored_instrument
from worldgen.instruments.motion.motion_reader import BARS, MotionReader, network_of


def accuracy_record(folder: str | Path, samples: Iterable[Sample], real: Iterable[Sample] = ()) -> dict:
    """Accuracy of the weights in a folder, for ``accuracy.json``.

    It has the numbers of ``worldgen eval control`` on rendered clips, which are the ceiling of that measure, also by
    weather and by light, and on real clips by source.
    """
    instrument = stored_instrument(folder)
    reader = MotionReader(network_of(instrument), instrument)
    drives, weathers, lights = [], [], []
    for sample in samples:
        assert sample.ego is not None and sample.camera is not None and sample.scenario is not None, sample.key
        drives.append(MotionPair(sample.ego, reader.read(sample.clip, sample.camera)))
        weathers.append(sample.scenario.weather)
        lights.append(sample.scenario.light)
    record = {
        "instrument": "motion", "date": datetime.date.today().isoformat(), "bars": BARS, "clips": len(drives),
        "split": "val and test of the rendered data sets", "accuracy": _json(control_rows(drives)),
        "by_weather": {word: _json(rows) for word, rows in slices(drives, weathers).items()},
        "by_light": {word: _json(rows) for word, rows in slices(drives, lights).items()},
    }  # fmt: skip
    real_drives, sources = [], []
    for sample in real:
        if sample.ego is not None and sample.camera is not None:
            real_drives.append(MotionPair(sample.ego, reader.read(sample.clip, sample.camera)))
            sources.append(str(sample.provenance.get("source", sample.key.split("_")[0])))
    if real_drives:
        record["real"] = {
            source: {"clips": sources.count(source), **_json(rows)}
            for source, rows in slices(real_drives, sources).items()
        }
    return record


def _json(rows: dict[str, Interval]) -> dict:
    return {name: row.to_json() for name, row in rows.items()}
