"""Accuracy of a clip's attributes: the readings of the attribute reader against what was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.evaluation.measures.intervals import Interval, bootstrap, hit_interval, shuffled
from worldgen.instruments.attributes.attribute_reader import ABSENT, GROUPS, PRESENT, UNJUDGED, AttributeTruth, Reading

PLACES = ("first", "middle", "last")
SHUFFLES = 5
SHUFFLED_RESAMPLES = 100
RAIN = ("light_rain", "heavy_rain")
INDISTINCT = {"night_lit": ("clear", "overcast")}
"""Light -> weathers that look the same in it: the glow of a lit town hides the stars, with clouds or without."""


def same_weather(read: int, truth: AttributeTruth) -> bool:
    """Whether a weather that was read is the one asked for, as far as pictures can show.

    Light and heavy rain count as one: wet road, spray and streaks differ by degree, and at dusk and night they cannot
    be distinguished. Clear and overcast count as one in a lit night.
    """
    words = WEATHERS[read], WEATHERS[truth.weather]
    alike = INDISTINCT.get(LIGHTS[truth.light], ())
    return words[0] == words[1] or all(w in RAIN for w in words) or all(w in alike for w in words)


def weather_belief(reading: Reading, weather: str, light: str | None) -> np.ndarray:
    """Probability ``(N,)`` of a weather, and of those that look like it in this light, in each window.

    light: None for the light that is read from the windows.
    """
    lit = int(reading.light.mean(0).argmax()) if light is None else LIGHTS.index(light)
    truth = AttributeTruth(WEATHERS.index(weather), lit, np.zeros((0, 0), np.int8))
    return reading.weather[:, [number for number in range(len(WEATHERS)) if same_weather(number, truth)]].sum(1)


@dataclass(frozen=True, eq=False)
class Judgement:
    """One clip at some of its frames. right: attribute -> ``(N,)`` float64 1 right, 0 wrong, NaN not judged.

    wanted: presence group -> ``(N,)`` int8 of ``PRESENT``, ``ABSENT``, ``UNJUDGED``.
    """

    right: dict[str, np.ndarray]
    wanted: dict[str, np.ndarray]


def places(frames: int, first: int = 0) -> list[int]:
    """Middle frames of the first, middle and last window of a clip with ``first`` context frames."""
    start = min(first + 1, frames - 2)
    return [start, (start + frames - 2) // 2, frames - 2]


def judge(reading: Reading, truth: AttributeTruth) -> Judgement:
    """Compare N windows with the truth of as many frames, which may be another clip's."""
    assert len(reading.weather) == len(truth.present), (len(reading.weather), len(truth.present))
    right = {
        "weather": np.array([same_weather(int(read), truth) for read in reading.weather.argmax(1)], float),
        "light": (reading.light.argmax(1) == truth.light).astype(float),
    }
    wanted = {}
    for column, group in enumerate(GROUPS):
        wanted[group] = truth.present[:, column]
        found = reading.present[:, column] > 0.5
        agrees = np.where(wanted[group] == PRESENT, found, ~found).astype(float)
        right[group] = np.where(wanted[group] == UNJUDGED, np.nan, agrees)
    return Judgement(right, wanted)


def share(judgements: list[Judgement], attribute: str, place: int | None = None) -> float:
    """Share right of weather or light; of a group the mean of the shares where it is present and where it is absent.

    Both kinds have the same weight, so a reader that always says "no cyclist" is right half the time. place: number of
    the window, all by default. NaN where nothing is judged.
    """
    pick = slice(None) if place is None else slice(place, place + 1)
    right = np.concatenate([j.right[attribute][pick] for j in judgements])
    if attribute not in GROUPS:
        return float(right.mean()) if len(right) else math.nan
    wanted = np.concatenate([j.wanted[attribute][pick] for j in judgements])
    kinds = [right[wanted == kind] for kind in (PRESENT, ABSENT)]
    return float(np.mean([k.mean() for k in kinds])) if all(len(k) for k in kinds) else math.nan


def share_interval(judgements: list[Judgement], attribute: str, place: int | None = None, *, seed: int = 0) -> Interval:
    """:func:`share` with its interval over clips."""
    pick = slice(None) if place is None else slice(place, place + 1)
    right = [j.right[attribute][pick] for j in judgements]
    if attribute not in GROUPS and all(len(each) == 1 for each in right):
        return hit_interval([bool(each[0]) for each in right])

    def statistic(index: np.ndarray) -> float:
        return share([judgements[i] for i in index], attribute, place)

    return bootstrap(len(judgements), statistic, seed=seed, bounds=(0.0, 1.0))


def attribute_rows(
    readings: list[Reading], truths: list[AttributeTruth], attributes: tuple[str, ...], *, seed: int = 0
) -> dict[str, dict[str, Interval]]:
    """Attribute -> share right at the first, middle and last window, and ``shuffled``: against other clips' truths.

    Readings and truths are of the three frames that :func:`places` gives.
    """
    judgements = [judge(r, t) for r, t in zip(readings, truths, strict=True)]
    count = len(judgements)
    swapped = []
    for k in range(SHUFFLES if count > 1 else 0):
        partner = shuffled(count, seed=seed + k)
        swapped.append([judge(readings[i], truths[partner[i]]) for i in range(count)])
    out: dict[str, dict[str, Interval]] = {}
    for attribute in attributes:
        rows = {name: share_interval(judgements, attribute, k, seed=seed) for k, name in enumerate(PLACES)}

        def control(index: np.ndarray, attribute: str = attribute) -> float:
            return float(np.mean([share([way[i] for i in index], attribute) for way in swapped]))

        if swapped:
            rows["shuffled"] = bootstrap(count, control, seed=seed, resamples=SHUFFLED_RESAMPLES, bounds=(0.0, 1.0))
        out[attribute] = rows
    return out


def confusion(readings: list[Reading], truths: list[AttributeTruth]) -> dict[str, list[list[int]]]:
    """Counts of windows, truth by row and reading by column, for weather and light."""
    weather = np.zeros((len(WEATHERS), len(WEATHERS)), int)
    light = np.zeros((len(LIGHTS), len(LIGHTS)), int)
    for reading, truth in zip(readings, truths, strict=True):
        np.add.at(weather[truth.weather], reading.weather.argmax(1), 1)
        np.add.at(light[truth.light], reading.light.argmax(1), 1)
    return {"weather": weather.tolist(), "light": light.tolist()}
