"""Compares labels with frames, track by track: presence, class, fit of the box, and objects without a label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.labels import CLASSES, LAYOUT_CLASSES, Labels
from worldgen.generation.sample.subjects import OrderedSubject
from worldgen.instruments.detector.detector import Detections, box_iou
from worldgen.instruments.verifier.verifier import NONE, BoxAnswers

MEASURED_AT_PX = 224
"""Width of the frames for which the sizes below hold; they scale with the width."""
MIN_HEIGHT_PX, MIN_WIDTH_PX, MIN_VISIBLE = 10.0, 4.0, 0.4
"""Smaller or less visible objects are labelled but not judged: their few pixels fit any label."""
MIN_ROWS = 3
"""Smallest number of such frames in a judged track."""
COVERED = 0.2
"""Overlap with any label, or share of a detection inside one, from which the label explains the detection."""
INSIDE = 0.6
LINK = 0.3
"""Overlap from which boxes in neighbouring frames belong to one object."""
WEAK_EVIDENCE = 0.35
"""Agreement or fit of a track below which its object is searched near the label."""
ALTERNATIVE_FRAMES = 4
PLACES = np.array([(x, y) for x in (-1.4, -0.9, -0.45, 0, 0.45, 0.9, 1.4) for y in (-1.2, -0.6, 0, 0.6, 1.2) if x or y])
"""Offsets from a label, in box sizes, at which its object is searched."""
DOUBLE = 0.5
"""Overlap from which detections of two instruments are one object."""
COLUMNS = ("frame_index", "group", "box_px", "score")
STEADY_FRAMES = 5
"""An object without a label counts with the score of its fifth best frame, because false detections do not last."""


@dataclass(frozen=True)
class TrackScore:
    """How far the frames show one labelled track. frames: number judged. The rest is evidence from 0 to 1.

    agreement: that the object in the box is of the labelled class. fit: overlap of the box with its object. other: that
    an object of another class is there, or that a detector finds an object that only this label explains and that would
    have no label without it. ordered: whether it is one of the tracks that stand for a subject of the request.
    """

    track_id: int
    class_name: str
    frames: int
    agreement: float
    fit: float
    other: float
    ordered: bool = False


def judged_rows(labels: Labels) -> np.ndarray:
    """Rows ``(N,)`` bool of objects that are large and visible enough to be judged, in tracks with enough of them.

    Animals are not judged: no instrument knows them.
    """
    scale = labels.width_px / MEASURED_AT_PX
    size = labels.box_px[:, 2:] - labels.box_px[:, :2]
    clear = (
        ~labels.ignore & (labels.class_id < NONE) & (labels.visible_fraction >= MIN_VISIBLE)
        & (size[:, 1] >= MIN_HEIGHT_PX * scale) & (size[:, 0] >= MIN_WIDTH_PX * scale)
    )  # fmt: skip
    tracks, counts = np.unique(labels.track_id[clear], return_counts=True)
    return clear & np.isin(labels.track_id, tracks[counts >= min(MIN_ROWS, labels.num_frames)])


@dataclass(frozen=True)
class AlternativePlaces:
    """Places near a track of weak evidence where its object may be instead.

    frame_index ``(n,)`` and box_px ``(n, 4)``: boxes to verify. place: ``(n,)`` index into ``PLACES`` of each.
    """

    track_id: int
    frame_index: np.ndarray
    box_px: np.ndarray
    place: np.ndarray


def alternative_places(labels: Labels, rows: np.ndarray, tracks: tuple[TrackScore, ...]) -> list[AlternativePlaces]:
    """Places to search for the objects of tracks with weak evidence, without those that another label explains."""
    out = []
    for track in tracks:
        if min(track.agreement, track.fit) >= WEAK_EVIDENCE:
            continue
        mine = np.flatnonzero(rows & (labels.track_id == track.track_id))
        mine = mine[np.unique(np.linspace(0, len(mine) - 1, ALTERNATIVE_FRAMES).round().astype(int))]
        frames, boxes, places = [], [], []
        for place, step in enumerate(PLACES):
            for row in mine:
                box = labels.box_px[row]
                moved = box + np.tile(step * (box[2:] - box[:2]), 2)
                there = labels.at(int(labels.frame_index[row]))
                others = there.amodal_box_px[there.track_id != track.track_id]
                centre = (moved[:2] + moved[2:]) / 2
                inside = (centre >= 0).all() and centre[0] < labels.width_px and centre[1] < labels.height_px
                if inside and box_iou(moved[None], others).max(initial=0.0) < COVERED:
                    frames.append(labels.frame_index[row])
                    boxes.append(moved)
                    places.append(place)
        if boxes:
            out.append(
                AlternativePlaces(track.track_id, np.array(frames), np.array(boxes, np.float32), np.array(places))
            )
    return out


def evidence_nearby(places: AlternativePlaces, class_id: int, answers: BoxAnswers) -> float:
    """Evidence from 0 to 1 that an object of a class is at the best of the places: its probability times the fit."""
    value = answers.classes[:, class_id] * answers.fit
    sums = np.bincount(places.place, value, len(PLACES))
    counts = np.bincount(places.place, minlength=len(PLACES))
    return float(np.max(np.where(counts >= 2, sums / np.maximum(counts, 1), 0.0)))


def score_tracks(
    labels: Labels, rows: np.ndarray, answers: BoxAnswers, explained: dict[int, float]
) -> tuple[TrackScore, ...]:
    """Scores of the tracks with judged rows, by track number.

    rows: ``(N,)`` bool, n of them true, those that were verified. answers: of the verifier for these n boxes.
    explained: track -> evidence of the strongest detection that only this track explains.
    """
    out = []
    for track in np.unique(labels.track_id[rows]):
        mine = labels.track_id[rows] == track
        classes = answers.classes[mine].mean(0)
        class_id = int(labels.class_id[rows][mine][0])
        other = max(float(np.delete(classes[:NONE], class_id).max()), explained.get(int(track), 0.0))
        out.append(
            TrackScore(
                int(track),
                CLASSES[class_id],
                int(mine.sum()),
                float(classes[class_id]),
                float(answers.fit[mine].mean()),
                other,
            )
        )
    return tuple(out)


def with_orders(
    tracks: Sequence[TrackScore], subjects: Iterable[OrderedSubject]
) -> tuple[tuple[TrackScore, ...], dict[str, float]]:
    """The scores with the tracks of ordered subjects marked, and subject -> agreement of the weakest of these tracks.

    All judged actors of an event stand for it. For agents that are ordered by number, the clearest ones up to that
    number do, because a scene may hold more of them. A subject of which no track is judged has the agreement 0.
    Subjects of a class that the verifier does not know are left out.
    """
    ordered: set[int] = set()
    weakest: dict[str, float] = {}
    for subject in subjects:
        if subject.class_name not in LAYOUT_CLASSES:
            continue
        mine = [track for track in tracks if track.class_name == subject.class_name]
        if subject.track_ids is not None:
            mine = [track for track in mine if track.track_id in subject.track_ids]
        mine = sorted(mine, key=lambda track: -track.agreement)[: subject.count]
        ordered |= {track.track_id for track in mine}
        weakest[subject.name] = mine[-1].agreement if mine else 0.0
    return tuple(replace(track, ordered=track.track_id in ordered) for track in tracks), weakest


def wrong_class(labels: Labels, rows: np.ndarray, probability: np.ndarray) -> float:
    """Over judged tracks, the largest probability of another class less that of the labelled one, -1 to 1.

    probability: ``(n, 10)`` for the n true rows. A track that is hardly visible has a high probability of being
    nothing, which does not count as another class.
    """
    worst = -1.0
    for track in np.unique(labels.track_id[rows]):
        mine = labels.track_id[rows] == track
        classes, class_id = probability[mine].mean(0), int(labels.class_id[rows][mine][0])
        worst = max(worst, float(np.delete(classes[:NONE], class_id).max() - classes[class_id]))
    return worst


def merged(first: Detections, second: Detections) -> Detections:
    """Detections of two instruments by frame and falling score; of boxes of the same object the one with more score."""
    columns = [np.concatenate([getattr(d, name) for d in (first, second)]) for name in COLUMNS]
    frame, _, _, score = columns
    order = np.lexsort((-score, frame))
    both = Detections(*(column[order] for column in columns))
    keep = np.ones(len(both), bool)
    for f in np.unique(both.frame_index):
        rows = np.flatnonzero(both.frame_index == f)
        same = np.triu(box_iou(both.box_px[rows], both.box_px[rows]) > DOUBLE, 1)
        for i in range(len(rows)):
            if keep[rows[i]]:
                keep[rows[same[i]]] = False
    return both.where(keep)


def unlabelled(detections: Detections, labels: Labels) -> tuple[float, dict[int, float]]:
    """Evidence of the strongest object without a label, and track -> that of the strongest that it alone explains."""
    covered_by = _explained(detections, labels)
    free = np.array([not tracks for tracks in covered_by], bool)
    strongest = _steadiest(detections.where(free)) if len(free) else 0.0
    single: dict[int, list[int]] = {}
    for row, tracks in enumerate(covered_by):
        if len(tracks) == 1:
            single.setdefault(next(iter(tracks)), []).append(row)
    return strongest, {track: _steadiest(detections.where(np.array(rows))) for track, rows in single.items()}


def _explained(detections: Detections, labels: Labels) -> list[set[int]]:
    """For each detection, the tracks whose visible or whole box covers it, ignored labels too."""
    out: list[set[int]] = []
    for frame in np.unique(detections.frame_index):
        found = detections.box_px[detections.frame_index == frame]
        there = labels.at(int(frame))
        shares = []
        for boxes in (there.box_px, there.amodal_box_px):
            low, high = (
                np.maximum(found[:, None, :2], boxes[None, :, :2]),
                np.minimum(found[:, None, 2:], boxes[None, :, 2:]),
            )
            shared = np.prod(np.clip(high - low, 0, None), -1)
            own = np.prod(found[:, 2:] - found[:, :2], -1)[:, None]
            shares.append((box_iou(found, boxes) >= COVERED) | (shared >= INSIDE * np.maximum(own, 1e-6)))
        explained = shares[0] | shares[1]
        out += [set(there.track_id[row].tolist()) for row in explained]
    return out


def _steadiest(detections: Detections) -> float:
    """Links detections of neighbouring frames to chains; the ``STEADY_FRAMES``-th best score of the best chain."""
    chains: list[dict] = []
    for frame in np.unique(detections.frame_index):
        rows = np.flatnonzero(detections.frame_index == frame)
        open_chains = [chain for chain in chains if frame - chain["frame"] <= 2]
        taken: set[int] = set()
        for row in rows:  # by falling score
            overlap = [
                -1.0 if id(chain) in taken else float(box_iou(chain["box"][None], detections.box_px[row][None])[0, 0])
                for chain in open_chains
            ]
            best = int(np.argmax(overlap)) if overlap else -1
            if best >= 0 and overlap[best] >= LINK:
                chain = open_chains[best]
            else:
                chain = {"scores": []}
                chains.append(chain)
            taken.add(id(chain))
            chain |= {"frame": int(frame), "box": detections.box_px[row]}
            chain["scores"].append(float(detections.score[row]))
    steady = [sorted(chain["scores"])[-STEADY_FRAMES] for chain in chains if len(chain["scores"]) >= STEADY_FRAMES]
    return max(steady, default=0.0)
