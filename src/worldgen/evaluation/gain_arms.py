"""The pictures of every arm of a detector-gain study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.sample import SPLITS
from worldgen.core.seeds import numpy_rng
from worldgen.data.index import SUMMARY_NAME, DataSet
from worldgen.data.storage import join, read_bytes
from worldgen.evaluation.gain_config import GainStudy, Source, arm_names
from worldgen.evaluation.pictures import Boxes, Pictures, pictures_of
from worldgen.evaluation.weather import weathered


@dataclass(frozen=True, eq=False)
class Arm:
    """What one arm trains on. parts: pictures, and the share of the drawn pictures that come from each. length:
    optimiser steps as a multiple of the study's."""

    name: str
    parts: tuple[tuple[Pictures, float], ...]
    length: float = 1.0

    def pictures(self) -> tuple[Pictures, np.ndarray]:
        """All pictures, and the chance of each ``(N,)`` to be drawn."""
        shares = [np.full(len(part), share / len(part)) for part, share in self.parts]
        return Pictures.joined([part for part, _ in self.parts]), np.concatenate(shares)

    def digest(self) -> str:
        """Names pictures, boxes and shares."""
        state = hashlib.blake2b(digest_size=16)
        for part, share in self.parts:
            state.update(f"{part.digest()} {share:.9g} ".encode())
        return state.hexdigest()


def chosen_rows(source: Source) -> DataSet:
    """The clips of a source. Raises: InputError when there is none with labels."""
    data = DataSet(source.url)
    pick = data.select(accepted=True)
    wanted, unwanted = set(source.with_any), set(source.without)
    rows = [
        row for row in pick.rows
        if row["has_labels"] and row["split"] in (source.splits or SPLITS)
        and not unwanted & set(row["tags"]) and (not wanted or wanted & set(row["tags"]))
    ]  # fmt: skip
    # Keys are hashes: their order mixes what was rendered or recorded together.
    rows = sorted(rows, key=lambda row: row["key"])[source.skip :]
    pick.rows = rows[: source.clips] if source.clips else rows
    pick._number = {row["key"]: number for number, row in enumerate(pick.rows)}
    if not pick.rows:
        raise InputError(f"clips of {source.url}", Received(f"none for {_text(source)}"), "at least one labelled clip")
    return pick


def _text(source: Source) -> str:
    return ", ".join(f"{name}={value}" for name, value in asdict(source).items() if value and name != "url")


def load_source(source: Source, study: GainStudy, folder: Path) -> Pictures:
    """The pictures of a source at the study's size, kept in ``folder`` for the next time."""
    summary = hashlib.blake2b(read_bytes(join(source.url, SUMMARY_NAME)), digest_size=16).hexdigest()
    asked = json.dumps([asdict(source), summary, study.width_px, study.height_px, study.min_height_px], sort_keys=True)
    kept = folder / f"pictures-{hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()}.npz"
    if kept.exists():
        return Pictures.load(str(kept))
    data = chosen_rows(source)
    pictures = pictures_of(
        data, every=source.every, size=(study.width_px, study.height_px), min_height_px=study.min_height_px
    )
    pictures.save(str(kept))
    return pictures


def check_apart(study: GainStudy) -> None:
    """Raise InputError when a clip of the test is also trained on."""
    held_out = {row["drive"] or row["key"] for row in chosen_rows(study.test).rows}
    keys = {row["key"] for row in chosen_rows(study.test).rows}
    for name in ("real", "rare", "synthetic", "restyled"):
        source: Source = getattr(study, name)
        if not source.url:
            continue
        rows = chosen_rows(source).rows
        shared = keys & {row["key"] for row in rows}
        if shared:
            raise InputError(f"{name} of the study", Received(f"{len(shared)} clips of the test"), "other clips")
        drives = held_out & {row["drive"] for row in rows if row["drive"]}
        if drives and name != "rare":  # the oracle may come from the drive of the test where there is no other
            raise InputError(
                f"{name} of the study", Received(f"drives of the test: {sorted(drives)[:3]}"), "other drives"
            )


def shuffled_boxes(pictures: Pictures, *, seed: int) -> Pictures:
    """Every picture with the boxes of another picture: labels that are wrong but look like labels."""
    order = np.roll(np.arange(len(pictures)), 1)[numpy_rng("shuffled boxes", seed).permutation(len(pictures))]
    if len(pictures) > 1:  # nobody keeps their own
        same = np.flatnonzero(order == np.arange(len(pictures)))
        for number in same:
            other = (number + 1) % len(pictures)
            order[number], order[other] = order[other], order[number]
    boxes = pictures.boxes
    rows = [np.flatnonzero(boxes.picture_index == source) for source in order]
    moved = boxes.where(np.concatenate(rows))
    index = np.repeat(np.arange(len(order)), [len(row) for row in rows])
    boxes = Boxes(index, moved.group, moved.box_px, moved.ignore, moved.distance_m)
    return Pictures(pictures.frames, boxes, pictures.clip_index, pictures.tags)


def build_arms(study: GainStudy, load: Callable[[Source], Pictures]) -> tuple[dict[str, Arm], dict[str, str]]:
    """The arms that can run, in order, and for each that cannot the reason."""
    real = load(study.real)
    half = (real, 0.5)
    arms: dict[str, Arm] = {}
    waiting: dict[str, str] = {}
    for name in arm_names(study):
        if study.arms and name not in study.arms:
            continue
        source = {"oracle": study.rare, "restyled": study.restyled}.get(
            name, study.synthetic if name.startswith("synthetic_") else None
        )
        if source is not None and not source.url:
            waiting[name] = "no data set given yet"
            continue
        if name in ("real", "real_short", "real_long"):
            arms[name] = Arm(name, ((real, 1.0),), {"real_short": 0.5, "real_long": 2.0}.get(name, 1.0))
        elif name == "duplicated":
            arms[name] = Arm(name, (half, half))
        elif name == "shuffled":
            arms[name] = Arm(name, (half, (shuffled_boxes(real, seed=0), 0.5)))
        elif name == "weather":
            arms[name] = Arm(name, (half, (weathered(real, seed=0), 0.5)))
        else:
            ratio = float(name.removeprefix("synthetic_")) if name.startswith("synthetic_") else 1.0
            arms[name] = _mixed(name, real, load(source), ratio)
    return arms, waiting


def _mixed(name: str, real: Pictures, extra: Pictures, ratio: float) -> Arm:
    """Real and ``ratio`` times as many others, which are cut to that number where there are more."""
    wanted = max(1, round(len(real) * ratio))
    if len(extra) > wanted:
        clips = int(np.searchsorted(np.cumsum(np.bincount(extra.clip_index)), wanted)) + 1
        extra = extra.of_clips(np.arange(min(clips, extra.num_clips)))
    return Arm(name, ((real, 1 / (1 + ratio)), (extra, ratio / (1 + ratio))))
