"""The human figure: a posed body in its clothes as lofted surfaces, for people on foot and for riders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.gait import SIDES, BodyPose, Stature
from worldgen.rendering.shapes.lofts import folds, loft, tube, unit
from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder, cross
from worldgen.rendering.shapes.tints import Tint, shade

TORSO = np.array([
    (-0.20, 0.071, 0.100), (-0.09, 0.070, 0.101), (0.03, 0.067, 0.098), (0.17, 0.061, 0.088), (0.34, 0.058, 0.083),
    (0.60, 0.064, 0.091), (0.80, 0.065, 0.101), (0.92, 0.061, 0.106), (1.00, 0.054, 0.098), (1.06, 0.046, 0.074),
    (1.11, 0.040, 0.050), (1.165, 0.036, 0.040),
])  # fmt: skip
"""Rings of the trunk: place along the spine (0 hips, 1 shoulders), half depth and half width as shares of stature.

Breadths: hip .191, chest .174 of stature without arms (Drillis and Contini 1966); depths: C. C. Gordon et al. 1989,
Anthropometric survey of US Army personnel (chest depth .14, waist depth .13 of stature)."""


@dataclass(frozen=True)
class Clothes:
    """What a person wears.

    top, trousers, shoe, skin: finishes. hem: lowest place of the top along the spine, negative below the hips (-0.2
    jacket, -1.0 knee-length coat). sleeves: share of the forearm that is covered, negative leaves the elbow bare.
    legs: share of the shank that trousers cover; negative are shorts. skirt: finish of a skirt, or None. thick:
    thickness of the top in shares of stature. vest: finishes of a vest and of its reflecting bands, or None. girth:
    factor on breadth and depth of the trunk.
    """

    top: Finish
    trousers: Finish
    shoe: Finish
    skin: Finish
    hem: float = -0.2
    sleeves: float = 0.95
    legs: float = 1.0
    skirt: Finish | None = None
    thick: float = 0.008
    vest: tuple[Finish, Finish] | None = None
    girth: float = 1.0


def shoe_points(body: Stature, ankle: np.ndarray, pitch: np.ndarray, bend: np.ndarray, side: float) -> np.ndarray:
    """The surface of a shoe ``(T, rings, sides, 3)``, from the heel to the toes.

    ankle: ``(T, 3)``. pitch, bend: ``(T,)`` radians, toes up of the foot, and of the toes against it. side: 1 left.
    """
    foot, high = body.foot * 1.08, body.ankle
    x = np.array([-0.27, -0.22, -0.02, 0.20, 0.40, 0.60, 0.73]) * foot
    top = np.array([-0.20, 0.45, 0.40, 0.05, -0.32, -0.52, -0.78]) * high
    half = np.array([0.10, 0.19, 0.20, 0.21, 0.26, 0.24, 0.04]) * foot
    low = np.array([-0.90, -1.0, -1.0, -1.0, -1.0, -1.0, -0.9]) * high
    # Eight corners of a ring: a flat sole and a rounded upper.
    y = np.array([-0.94, 0.0, 0.94, 1.0, 0.80, 0.0, -0.80, -1.0])
    up = np.array([0.0, 0.0, 0.0, 0.35, 0.82, 1.0, 0.82, 0.35])
    points = np.stack(np.broadcast_arrays(x[:, None], half[:, None] * y, low[:, None] + (top - low)[:, None] * up), -1)
    ball = np.array([0.40 * foot, 0.0, -0.9 * high])
    offset = points - ball
    toes = offset[..., 0].clip(0)[None] > 0
    c, s = np.cos(bend)[:, None, None], np.sin(bend)[:, None, None]
    bent = np.stack(
        [c * offset[..., 0] - s * offset[..., 2], offset[..., 1] + 0 * c, s * offset[..., 0] + c * offset[..., 2]], -1
    )
    points = ball + np.where(toes[..., None], bent, offset[None])
    c, s = np.cos(pitch)[:, None, None], np.sin(pitch)[:, None, None]
    points = np.stack(
        [c * points[..., 0] - s * points[..., 2], points[..., 1], s * points[..., 0] + c * points[..., 2]], -1
    )
    out = 0.10 * side
    turned = np.stack(
        [
            np.cos(out) * points[..., 0] - np.sin(out) * points[..., 1],
            np.sin(out) * points[..., 0] + np.cos(out) * points[..., 1],
            points[..., 2],
        ],
        -1,
    )
    return ankle[:, None, None] + turned


def lowest_point(body: Stature, pose: BodyPose) -> np.ndarray:
    """Height ``(T,)`` of the lowest point of both shoes."""
    return np.min(
        [
            shoe_points(body, pose.ankles[:, k], pose.foot_pitch[:, k], pose.toe_bend[:, k], SIDES[k])[..., 2].min(
                (1, 2)
            )
            for k in (0, 1)
        ],
        0,
    )


def add_figure(
    builder: SolidBuilder, body: Stature, pose: BodyPose, clothes: Clothes, rng: np.random.Generator
) -> None:
    """Add trunk, arms, hands, legs and shoes of a posed body; the head is not part of it."""
    _add_trunk(builder, body, pose, clothes, rng)
    for k in (0, 1):
        _add_leg(builder, body, pose, clothes, rng, k=k)
        _add_arm(builder, body, pose, clothes, rng, k=k)


def _spine(body: Stature, pose: BodyPose, places: np.ndarray) -> np.ndarray:
    """Points ``(T, K, 3)`` along the spine; below the hips straight down."""
    share = np.clip(places, 0, None)[:, None]
    line = pose.pelvis[:, None] + (pose.chest - pose.pelvis)[:, None] * share
    up = unit(pose.chest - pose.pelvis)
    behind = cross(unit(pose.hips[:, 0] - pose.hips[:, 1]), up)[:, None] * -1.0
    line = line + behind * pose.bow * (4 * share * (1 - share)).clip(0)
    return line + np.clip(places, None, 0)[:, None] * body.spine * np.array([0.0, 0.0, 1.0])


def _add_trunk(
    builder: SolidBuilder, body: Stature, pose: BodyPose, clothes: Clothes, rng: np.random.Generator
) -> None:
    """Pelvis in the colour of the trousers, top, vest, and the neck."""
    height = body.height
    left = unit(pose.hips[:, 0] - pose.hips[:, 1])[:, None] * (1 - TORSO[:, :1].clip(0, 1))
    left = unit(left + unit(pose.shoulders[:, 0] - pose.shoulders[:, 1])[:, None] * TORSO[:, :1].clip(0, 1))
    points = _spine(body, pose, TORSO[:, 0])
    along = unit(np.gradient(points, axis=1))
    left = unit(left - (left * along).sum(-1, keepdims=True) * along)
    axes = (cross(left, along), left)
    radii = TORSO[:, 1:] * height * clothes.girth
    taper = np.clip((TORSO[:, :1] - 0.9) / 0.25, 0, 1)
    radii = radii * (1 - taper + taper / clothes.girth)
    low = slice(0, 5)
    loft(
        builder, points[:, low], (axes[0][:, low], axes[1][:, low]), radii[low] * 0.985, clothes.trousers, sides=10,
        power=2.3, ends=(0.6, None),
    )  # fmt: skip
    coat = clothes.hem < -0.25
    rows = np.flatnonzero(TORSO[:, 0] >= (0.03 if coat else clothes.hem) - 1e-6)
    thick = clothes.thick * height * np.where(TORSO[:, :1] > 1.1, 0.5, 1.0)
    pick = (axes[0][:, rows], axes[1][:, rows])
    uneven = folds(rng, len(rows), 12, 0.018)
    loft(
        builder, points[:, rows], pick, (radii + thick)[rows], clothes.top, sides=12, power=2.35, uneven=uneven,
        ends=(0.05, 0.25),
    )  # fmt: skip
    if coat or clothes.skirt is not None:
        _add_skirt(builder, body, pose, clothes, rng)
    if clothes.vest is not None:
        _add_vest(builder, points, axes, radii + thick, clothes.vest)
    neck = pose.head + np.stack(
        [np.full(len(pose.head), -0.055 * body.head), 0 * pose.head_pitch, np.full(len(pose.head), -0.38 * body.head)],
        -1,
    )
    tube(
        builder, np.stack([pose.chest * 0.9 + points[:, -1] * 0.1, points[:, -1], neck], 1),
        np.array([0.034, 0.033, 0.031]) * height * (body.head / (0.13 * height)) ** 0.5, clothes.skin,
        left=np.array([0.0, 1.0, 0.0]), sides=8, ends=(None, None),
    )  # fmt: skip


def _add_vest(
    builder: SolidBuilder, points: np.ndarray, axes: tuple[np.ndarray, np.ndarray], radii: np.ndarray,
    finishes: tuple[Finish, Finish],
) -> None:  # fmt: skip
    """A vest over the top, with two bands around the waist."""
    cloth, band = finishes
    for finish, rows, grow in ((cloth, slice(1, 10), 0.007), (band, slice(2, 4), 0.012), (band, slice(4, 6), 0.012)):
        part = points[:, rows], (axes[0][:, rows], axes[1][:, rows]), (radii + grow)[rows]
        if finish is band:  # narrow: from the middle of one ring towards the next
            middle = 0.65 * part[0][:, :1] + 0.35 * part[0][:, 1:]
            part = np.concatenate([part[0][:, :1], middle], 1), part[1], np.repeat(part[2].max(0)[None], 2, 0)
        loft(builder, *part, finish, sides=12, power=2.35, ends=(0.02, 0.02))


def _add_skirt(
    builder: SolidBuilder, body: Stature, pose: BodyPose, clothes: Clothes, rng: np.random.Generator
) -> None:
    """Cloth that hangs from the hips around both legs and follows them: the lower part of a coat, or a skirt."""
    finish, hem, thick = (
        (clothes.top, clothes.hem, clothes.thick) if clothes.skirt is None else (clothes.skirt, -0.82, 0.0)
    )
    shares = np.array([0.0, 0.1, 0.34, 0.65, 1.0])
    drop = (-0.12 + shares * (0.12 - hem)) * body.spine
    reach = drop / body.thigh
    upper, lower = reach.clip(0, 1)[:, None], (reach - 1).clip(0)[:, None] * body.thigh / body.shank
    leg = lambda k: (  # noqa: E731
        pose.hips[:, k, None] + (pose.knees - pose.hips)[:, k, None] * upper
        + (pose.ankles - pose.knees)[:, k, None] * lower
    )  # fmt: skip
    one, other = leg(0), leg(1)
    centres = (one + other) / 2
    centres[..., 2] = pose.pelvis[:, None, 2] - drop
    # Narrow inside the top, then clearly wider than it, so that the two surfaces do not meet.
    out = 0.1 if clothes.skirt is None else 0.34
    deep = np.interp(shares, (0.0, out, 1.0), (0.056, 0.071 - 0.04 * (out - 0.1), 0.084)) * body.height * clothes.girth
    wide = np.interp(shares, (0.0, out, 1.0), (0.088, 0.103 - 0.02 * (out - 0.1), 0.109)) * body.height * clothes.girth
    depth = np.abs(one[..., 0] - other[..., 0]) / 2 + deep + thick * body.height
    radii = np.stack([depth, np.broadcast_to(wide + thick * body.height, depth.shape)], -1)
    axes = np.array([1.0, 0.0, 0.0])[None, None], np.array([0.0, -1.0, 0.0])[None, None]
    loft(builder, centres, axes, radii, finish, sides=12, power=2.3, uneven=folds(rng, 5, 12, 0.035), ends=(0.1, 0.0))


def _bent(
    first: np.ndarray, joint: np.ndarray, last: np.ndarray, shares: tuple[tuple[float, ...], tuple[float, ...]]
) -> np.ndarray:
    """Points ``(T, K, 3)`` at shares of the way from ``first`` to ``joint``, and from there to ``last``."""
    upper, lower = (np.array(s)[None, :, None] for s in shares)
    return np.concatenate(
        [first[:, None] + (joint - first)[:, None] * upper, joint[:, None] + (last - joint)[:, None] * lower], 1
    )


def _add_leg(
    builder: SolidBuilder, body: Stature, pose: BodyPose, clothes: Clothes, rng: np.random.Generator, *, k: int
) -> None:
    """One leg with its shoe; the skin shows where trousers end."""
    height = body.height
    left = unit(pose.hips[:, 0] - pose.hips[:, 1])
    hip, knee, ankle = pose.hips[:, k], pose.knees[:, k], pose.ankles[:, k]
    wide = 0.5 + 0.5 * clothes.girth
    bare = clothes.skirt is not None or clothes.legs < 0.9
    if bare:
        path = _bent(hip, knee, ankle, ((0.45, 0.8), (0.0, 0.25, 0.5, 0.8, 1.0)))
        radii = np.array([0.036, 0.034, 0.032, 0.035, 0.031, 0.021, 0.020]) * height * wide
        tube(builder, path, radii, clothes.skin, left=left, sides=7)
    if clothes.skirt is None:
        share = clothes.legs if clothes.legs < 0 else 1.0
        lower = (0.0, 0.2, 0.45, 0.7, 0.98) if share > 0 else (0.0,)
        path = _bent(hip, knee, ankle, ((-0.08, 0.15, 0.45, 0.75), lower))
        radii = (
            np.array([0.046, 0.051, 0.048, 0.041, 0.038, 0.0385, 0.037, 0.034, 0.034])[: path.shape[1]] * height * wide
        )
        uneven = folds(rng, path.shape[1], 8, 0.045)
        uneven[:2] = 1.0
        tube(builder, path, radii, clothes.trousers, left=left, sides=8, uneven=uneven, ends=(0.6, 0.08))
    points = shoe_points(body, ankle, pose.foot_pitch[:, k], pose.toe_bend[:, k], SIDES[k])
    builder.grid(points, clothes.shoe, closed=True, flip=True)
    for end, flip in ((points[:, :1], False), (points[:, -1:], True)):
        middle = np.repeat(end.mean(2, keepdims=True), end.shape[2], 2)
        builder.grid(np.concatenate([end, middle], 1), clothes.shoe, closed=True, flip=flip)


def _add_arm(
    builder: SolidBuilder, body: Stature, pose: BodyPose, clothes: Clothes, rng: np.random.Generator, *, k: int
) -> None:
    """One arm with its hand; the skin shows where the sleeve ends."""
    height = body.height
    shoulder, elbow, wrist = pose.shoulders[:, k], pose.elbows[:, k], pose.wrists[:, k]
    left = _arm_left(shoulder, elbow, wrist, SIDES[k])
    if clothes.sleeves < 0.9:
        path = _bent(shoulder, elbow, wrist, ((0.4, 0.8), (0.0, 0.2, 0.5, 1.0)))
        tube(
            builder,
            path,
            np.array([0.026, 0.024, 0.023, 0.025, 0.022, 0.016]) * height,
            clothes.skin,
            left=left,
            sides=7,
        )
    upper = (0.05, 0.2, 0.5, 0.85) if clothes.sleeves > 0 else (0.05, 0.2, 0.4, 0.62)
    lower = tuple(clothes.sleeves * s for s in (0.08, 0.35, 0.7, 1.0)) if clothes.sleeves > 0 else ()
    path = _bent(shoulder, elbow, wrist, (upper, lower)) if lower else _bent(shoulder, elbow, wrist, (upper, ()))
    radii = (np.array([0.026, 0.0315, 0.028, 0.0255, 0.026, 0.0255, 0.023, 0.021]) + clothes.thick * 0.8)[
        : path.shape[1]
    ]
    uneven = folds(rng, path.shape[1], 8, 0.035)
    uneven[:2] = 1.0
    tube(builder, path, radii * height, clothes.top, left=left, sides=8, uneven=uneven, ends=(0.6, 0.1))
    along = unit(wrist - elbow)
    path = wrist[:, None] + along[:, None] * (np.array([-0.1, 0.25, 0.55, 0.85])[:, None] * body.hand)
    radii = np.array([(0.014, 0.017), (0.013, 0.023), (0.014, 0.022), (0.010, 0.014)]) * height
    tube(builder, path, radii[:, ::-1], clothes.skin, left=left, sides=6, ends=(None, 0.7))


def _arm_left(shoulder: np.ndarray, elbow: np.ndarray, wrist: np.ndarray, side: float) -> np.ndarray:
    """A direction ``(T, 3)`` across an arm that never runs along it: the normal of the plane of its bend."""
    normal = cross(wrist - elbow, elbow - shoulder)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    out = np.array([0.15, 1.0, 0.15 * side])
    return unit(np.where(length > 1e-3, normal / np.maximum(length, 1e-9), 0.0) * 0.5 + 0.75 * out)


def plain(colour: Tint, *, gloss: float = 0.0, carried: bool = False) -> Finish:
    """A matt finish."""
    return Finish(colour, gloss=gloss, carried=carried)


def darker(finish: Finish, factor: float) -> Finish:
    """The finish with its colour multiplied by ``factor``."""
    return finish.but(colour=shade(finish.colour, factor))
