"""What a gain study can detect with the objects of a test set, before it runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.api.measures.measure_realism import choice_of
from worldgen.api.measures.measure_result import cost, result_head
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine, no_log
from worldgen.evaluation.gain.arms import load_source
from worldgen.evaluation.gain.gain_config import GainStudy
from worldgen.evaluation.gain.study_power import GAINS, PowerModel, TestObjects, detectable, power_of
from worldgen.evaluation.realism.labelled_frame import RealismRules
from worldgen.evaluation.realism.realism_sets import realism_set
from worldgen.files.config_files import load_config
from worldgen.instruments.detector.detector import GROUP_OF_CLASS, GROUPS

ASKED = ("pedestrian=0.3",)
"""Subject of a power simulation where none is named."""


@dataclass(frozen=True, kw_only=True)
class PowerOptions:
    """Options of ``worldgen eval power``.

    sets: each NAME=URL of a labelled set. config: YAML files of a gain study, whose test pictures are a set too.
    asked: each GROUP=AP50 or several joined by commas: the subject is the mean AP50 of these groups, which real
    pictures alone are expected to reach; none stands for ``ASKED``. light: only pictures of this light. size:
    "WIDTHxHEIGHT" of the study's pictures. min_height: of objects that count, after resizing. seeds: numbers of runs of
    each arm. spread, agreement, clip_share, false_alarms, experiments: see ``PowerModel``. smallest: AP50 that would
    matter.
    """

    sets: Sequence[str] = ()
    config: Sequence[str] = ()
    asked: Sequence[str] = ()
    light: str = ""
    size: str = ""
    min_height: float = 8.0
    seeds: Sequence[int] = (5,)
    spread: float = 0.02
    agreement: float = 0.8
    clip_share: float = 0.2
    false_alarms: float = 8.0
    experiments: int = 100
    smallest: float = 0.02


@dataclass(frozen=True, eq=False)
class _Counts:
    """objects: group -> ``(N,)`` number in each picture. clip: ``(N,)`` of each picture."""

    objects: dict[str, np.ndarray]
    clip: np.ndarray


def measure_power(options: PowerOptions, *, log: LogLine = no_log) -> dict[str, Any]:
    """Power at the smallest gain that matters, and the least gain found 4 times in 5, of every set, subject and number
    of seeds.

    Raises: InputError for options out of range and sets that cannot be read.
    """
    begun_s = time.monotonic()
    subjects = [_subject(word) for word in options.asked or ASKED]
    model = PowerModel(
        spread=options.spread, agreement=options.agreement, clip_share=options.clip_share,
        false_alarms=options.false_alarms, experiments=options.experiments,
    )  # fmt: skip
    if not 0 < options.smallest < 0.5:
        raise InputError("smallest gain", options.smallest, "above 0, below 0.5")
    models = [replace(model, seeds=count) for count in options.seeds]
    record = result_head("power", power_command(options))
    record["model"] = asdict(model) | {"seeds": list(options.seeds)}
    record["smallest_gain"] = options.smallest
    record["sets"] = {}
    for name, counts in _sets(options):
        rows = []
        for subject in subjects:
            row: dict[str, Any] = {"subject": subject, "objects": _number(counts, subject), "runs": []}
            row["pictures"], row["clips"] = len(counts.clip), len(np.unique(counts.clip))
            if all(row["objects"].values()):
                groups = tuple(TestObjects(counts.objects[group], counts.clip, ap50) for group, ap50 in subject.items())
                row["runs"] = [_run(groups, each, options.smallest) for each in models]
            rows.append(row)
            for line in power_lines(name, row, options.smallest):
                log(line)
        record["sets"][name] = rows
    return record | {"cost": cost(begun_s)}


def _run(groups: tuple[TestObjects, ...], model: PowerModel, smallest: float) -> dict[str, Any]:
    found = detectable(groups, model, tuple(sorted({*GAINS, smallest})))
    rows = {row["gain"]: row for row in found["rows"]}
    at = rows.get(smallest) or power_of(groups, model, smallest)
    return {"seeds": model.seeds, "power": at["power"], "wrong_claims": rows[0.0]["power"], **found}


def power_lines(name: str, row: dict[str, Any], smallest: float) -> list[str]:
    """The outcome of a set and a subject in lines, one for each number of seeds."""
    subject = " and ".join(f"{group} at {ap50:g}" for group, ap50 in row["subject"].items())
    objects = sum(row["objects"].values())
    head = f"{name}, {subject}: {objects} objects in {row['pictures']} pictures, {row['clips']} clips"
    if not row["runs"]:
        return [f"{head}: none to judge"]
    lines = []
    for run in row["runs"]:
        least = run["least_gain"]
        found = "no simulated gain is found 4 times in 5" if least is None else f"least gain {100 * least:.1f} points"
        lines.append(f"{head}; {run['seeds']} seeds: power {run['power']:.2f} at {100 * smallest:g} points; {found}")
    return lines


def _subject(word: str) -> dict[str, float]:
    subject: dict[str, float] = {}
    for part in word.split(","):
        group, _, value = part.partition("=")
        try:
            subject[group.strip()] = float(value)
        except ValueError as error:
            raise InputError("subject of a power simulation", word, "GROUP=AP50, as in pedestrian=0.3") from error
    unknown = sorted(set(subject) - set(GROUPS))
    if unknown:
        raise InputError("group of a power simulation", unknown[0], "one of " + ", ".join(GROUPS))
    return subject


def _sets(options: PowerOptions) -> list[tuple[str, _Counts]]:
    named = []
    for word in options.sets:
        name, equals, url = word.partition("=")
        if not (equals and name and url):
            raise InputError("set", word, "NAME=URL")
        named.append((name, _of_set(url, options)))
    if options.config:
        study = load_config(GainStudy, options.config)
        with tempfile.TemporaryDirectory() as folder:
            test = load_source(study.test, study, Path(folder))
        rows = test.boxes.where(~test.boxes.ignore)
        objects = {
            group: np.bincount(rows.picture_index[rows.group == number], minlength=len(test))
            for number, group in enumerate(GROUPS)
        }
        named.append((study.name, _Counts(objects, test.clip_index)))
    if not named:
        raise InputError("sets", Received("none"), "a labelled set as NAME=URL, or the config of a study")
    return named


def _of_set(url: str, options: PowerOptions) -> _Counts:
    numbers: dict[str, list[int]] = {group: [] for group in GROUPS}
    clips: dict[str, int] = {}
    clip = []
    for frame in realism_set(url, choice_of(options.size), RealismRules(min_height_px=options.min_height)):
        if options.light and frame.light != options.light:
            continue
        group = GROUP_OF_CLASS[frame.class_id[frame.wanted]]
        for number, name in enumerate(GROUPS):
            numbers[name].append(int((group == number).sum()))
        clip.append(clips.setdefault(frame.clip, len(clips)))
    if not clip:
        raise InputError(f"labelled set {url}", Received(f"no picture with light {options.light}"), "at least one")
    return _Counts({name: np.array(values) for name, values in numbers.items()}, np.array(clip))


def _number(counts: _Counts, subject: dict[str, float]) -> dict[str, int]:
    return {group: int(counts.objects[group].sum()) for group in subject}


def power_command(options: PowerOptions) -> str:
    """The command that gives the same numbers, with files named by their last part."""
    words = ["worldgen eval power"]
    words += [f"--set {word.partition('=')[0]}={word.rstrip('/').rsplit('/', 1)[-1]}" for word in options.sets]
    words += [f"--config {file.rsplit('/', 1)[-1]}" for file in options.config]
    words += [f"--ask {word}" for word in options.asked or ASKED]
    for name in ("light", "size"):
        words += [f"--{name} {getattr(options, name)}"] if getattr(options, name) else []
    words += [f"--seeds {' '.join(map(str, options.seeds))}", f"--min-height {options.min_height:g}"]
    words += [f"--spread {options.spread:g}", f"--agreement {options.agreement:g}"]
    words += [f"--clip-share {options.clip_share:g}", f"--false-alarms {options.false_alarms:g}"]
    return " ".join([*words, f"--experiments {options.experiments}", f"--smallest {options.smallest:g}"])
