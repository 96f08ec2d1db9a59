"""How well the attribute reader reads rendered clips it was not trained on."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from worldgen.core.sample import Sample
from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.evaluation.attributes import ATTRIBUTES, BAR, GROUPS, AttributeReader, Truth, network_of
from worldgen.evaluation.attributes_score import confusion, judge, places, share_interval
from worldgen.evaluation.instruments import stored_instrument


def accuracy_record(folder: str | Path, samples: Iterable[Sample]) -> dict:
    """Accuracy of the weights in a folder, with intervals over clips and confusions, for ``accuracy.json``.

    Presence is balanced (see :func:`~worldgen.evaluation.attributes_score.share`); ``plain`` is the plain share.
    """
    instrument = stored_instrument(folder)
    reader = AttributeReader(network_of(instrument), instrument, ATTRIBUTES)
    readings, truths, judged, mistakes = [], [], [], Counter()
    for sample in samples:
        frames = places(len(sample.clip))
        truth = Truth.of(sample.scenario, sample.labels, frames)
        reading = reader.read(sample.clip, frames)
        readings.append(reading)
        truths.append(truth)
        judged.append(judge(reading, truth))
        for seen in reading.weather.argmax(1)[judged[-1].right["weather"] == 0]:
            mistakes[f"{sample.scenario.weather} read as {WEATHERS[seen]}, {sample.scenario.light}"] += 1
    accuracy = {}
    for name in ATTRIBUTES:
        accuracy[name] = share_interval(judged, name).to_json()
        if name in GROUPS:
            accuracy[name]["plain"] = round(float(np.nanmean(np.concatenate([j.right[name] for j in judged]))), 5)
    return {
        "instrument": "attributes", "date": datetime.date.today().isoformat(), "bar": BAR, "clips": len(judged),
        "split": "val and test of the rendered data sets", "accuracy": accuracy,
        "confusion": {"weather_names": list(WEATHERS), "light_names": list(LIGHTS), **confusion(readings, truths)},
        "weather_mistakes": dict(mistakes.most_common(20)),
    }  # fmt: skip
