"""Accuracy of the attribute reader on held-out rendered clips."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from worldgen.core.samples import Sample
from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.evaluation.measures.attributes_score import confusion, judge, places, same_weather, share_interval
from worldgen.instruments.attributes.attribute_reader import (
    ABSENT,
    ATTRIBUTES,
    BAR,
    GROUPS,
    PRESENT,
    AttributeReader,
    AttributeTruth,
    Reading,
    network_of,
)
from worldgen.instruments.detector.detector import GROUPS as DETECTED
from worldgen.instruments.detector.presence import PresenceReader, best_threshold
from worldgen.instruments.instrument_files import stored_instrument

from .rendered_samples import in_windows, window_middles


def accuracy_record(
    folder: str | Path, val: Iterable[Sample], test: Iterable[Sample], *, detector: str | Path | None = None,
    thresholds: dict[str, float] | None = None,
) -> dict:  # fmt: skip
    """Accuracy of the weights in a folder on val and test clips together, for ``accuracy.json``.

    Presence is read with the detector where there is one (the shipped one by default): its thresholds are set on the
    val clips, or are ``thresholds`` where there are none; its accuracy is measured on the test clips alone. Presence
    is balanced (see :func:`~worldgen.evaluation.measures.attributes_score.share`); ``plain`` is the plain share.
    """
    instrument = stored_instrument(folder)
    network, presence = network_of(instrument), PresenceReader.load(folder=detector)
    clips = [_read(sample, AttributeReader(network, instrument, ATTRIBUTES), presence, True) for sample in val]
    if presence is not None:
        known = _thresholds(clips) if clips else thresholds or presence.thresholds
        presence = replace(presence, thresholds=known)
    reader = AttributeReader(network, instrument, ATTRIBUTES, presence)
    clips += [_read(sample, reader, presence, False) for sample in test]
    mistakes = Counter(word for clip in clips for word in clip.mistakes())
    accuracy = {}
    for name in ATTRIBUTES:
        detected = presence is not None and name in presence.thresholds
        judged = [judge(c.reading, c.truth) for c in clips if not (detected and c.val)]
        accuracy[name] = share_interval(judged, name).to_json()
        if name in GROUPS and judged:
            values = np.concatenate([j.right[name] for j in judged])
            accuracy[name]["plain"] = round(float(np.nanmean(values)), 5) if np.isfinite(values).any() else None
    return {
        "instrument": "attributes", "date": datetime.date.today().isoformat(), "bar": BAR, "clips": len(clips),
        "split": "val and test of the rendered data sets; presence by the detector: test",
        "presence": None if presence is None else {"detector_hash": presence.hash, "thresholds": presence.thresholds},
        "accuracy": accuracy,
        "confusion": {
            "weather_names": list(WEATHERS), "light_names": list(LIGHTS),
            **confusion([c.reading for c in clips], [c.truth for c in clips]),
        },
        "weather_mistakes": dict(mistakes.most_common(20)),
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class _ReadClip:
    """The reading of a clip. scores: ``(3, groups)`` of the detector, None without it and for test clips."""

    reading: Reading
    truth: AttributeTruth
    val: bool
    scores: np.ndarray | None

    def mistakes(self) -> list[str]:
        names = WEATHERS[self.truth.weather], LIGHTS[self.truth.light]
        wrong = [int(k) for k in self.reading.weather.argmax(1) if not same_weather(int(k), self.truth)]
        return [f"{names[0]} read as {WEATHERS[k]}, {names[1]}" for k in wrong]


def _read(sample: Sample, reader: AttributeReader, presence: PresenceReader | None, val: bool) -> _ReadClip:
    frames = list(window_middles(sample)) if in_windows(sample) else places(len(sample.clip))
    assert sample.scenario is not None and sample.labels is not None, sample.key
    truth = AttributeTruth.of(sample.scenario, sample.labels, frames)
    scores = presence.scores(sample.clip, frames) if presence is not None and val else None
    return _ReadClip(reader.read(sample.clip, frames), truth, val, scores)


def _thresholds(clips: list[_ReadClip]) -> dict[str, float]:
    """The best threshold of each of the detector's groups on the val clips."""
    out = {}
    for column, group in enumerate(DETECTED):
        scores = np.concatenate([c.scores[:, column] for c in clips if c.scores is not None])
        truth = np.concatenate([c.truth.present[:, list(GROUPS).index(group)] for c in clips])
        out[group] = best_threshold(scores[truth == PRESENT], scores[truth == ABSENT])
    return out
