"""Shapes of people on foot: adults, elders and children with their clothes and what they carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldgen.rendering.shapes.figure import Clothes, add_figure, lowest_point, plain
from worldgen.rendering.shapes.gait import BodyPose, Manner, Stature, walking_pose
from worldgen.rendering.shapes.heads import TOP, HeadFrame, Headwear, add_head, crown_m
from worldgen.rendering.shapes.lofts import loft, rod, tube
from worldgen.rendering.shapes.solid import Finish, Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import draw_tint, linear, shade

CHILD_BELOW_M = 1.45
NIGHT_CLOTH = linear("#1c1d22")
VEST, ORANGE_VEST, BAND = linear("#c9c23a"), linear("#cf6a2c"), linear("#c4c6c4")
SILVER = linear("#9a9c9e")


def walker_shape(
    size_m: tuple[float, float, float], phase: np.ndarray, speed: np.ndarray, rng: np.random.Generator, *,
    rain: bool = False, dark: bool = False, vest: bool = False, elder: bool = False,
) -> Shape:  # fmt: skip
    """A person on foot over T frames.

    size_m: its height is the height of the crown when standing; below 1.45 m it is a child. phase: ``(T,)`` gait phase
    in radians, 0 at heel strike of the left foot. speed: ``(T,)`` m/s. rain: may carry an umbrella or wear a hood.
    dark: wears dark clothes. vest: wears a high-visibility vest. elder: walks in short steps, with a stoop.
    """
    height = size_m[2]
    child = height < CHILD_BELOW_M
    body = Stature.of(height)
    belonging = _draw_belonging(rng, rain=rain, child=child, elder=elder)
    arms = {"umbrella": "umbrella", "phone": "phone"}.get(belonging, "pockets" if rng.random() < 0.12 else "swing")
    ease = float(rng.uniform(-0.28, 0.28))
    if elder:
        manner = Manner(0.82, 0.15, 0.10, ease, arms)
    else:
        manner = Manner(float(rng.uniform(0.92, 1.0)), relaxed=ease, arms=arms)
    clothes, wear = _draw_clothes(rng, child=child, elder=elder, rain=rain, dark=dark)
    if vest:
        cloth = VEST if rng.random() < 0.6 else ORANGE_VEST
        clothes = _with_vest(clothes, plain(cloth))
    pose = grounded(body, walking_pose(body, phase, speed, manner), manner)
    builder = SolidBuilder()
    add_figure(builder, body, pose, clothes, rng)
    add_head(builder, HeadFrame(pose.head, pose.head_pitch, body.head / TOP), wear)
    _add_belonging(builder, body, pose, belonging, rng)
    return Shape(builder.build(), size_m)


def grounded(body: Stature, pose: BodyPose, manner: Manner) -> BodyPose:
    """The pose with its lowest shoe on the ground, and its crown at the stature when it stands and never above it."""
    standing = walking_pose(body, np.zeros(1), np.zeros(1), manner)
    # Lean and bent knees lower the crown: the trunk makes up for it, as stature is measured in this posture.
    missing = body.height - _crown_above_ground(body, standing)
    # A foot on its toes may lift the body by some millimetres: the trunk gives way.
    excess = (_crown_above_ground(body, pose) + missing - body.height).clip(0)
    stretch = (missing - excess)[:, None] * np.array([0.0, 0.0, 1.0])
    pose = replace(
        pose, chest=pose.chest + stretch, head=pose.head + stretch, shoulders=pose.shoulders + stretch[:, None],
        elbows=pose.elbows + stretch[:, None], wrists=pose.wrists + stretch[:, None],
    )  # fmt: skip
    return pose.raised(-lowest_point(body, pose))


def _crown_above_ground(body: Stature, pose: BodyPose) -> np.ndarray:
    """Height ``(T,)`` of the crown above the lower shoe."""
    return pose.head[:, 2] + crown_m(pose.head_pitch, body.head / TOP) - lowest_point(body, pose)


def _with_vest(clothes: Clothes, cloth: Finish) -> Clothes:
    return replace(clothes, vest=(cloth, plain(BAND, gloss=0.4)))


def _draw_clothes(
    rng: np.random.Generator, *, child: bool, elder: bool, rain: bool, dark: bool
) -> tuple[Clothes, Headwear]:
    """Clothes and headwear."""
    woman = rng.random() < 0.5
    kind = float(rng.random())
    warm = rain or kind < 0.72
    top = plain(draw_tint("jacket" if warm else "shirt", rng))
    trousers = plain(draw_tint("trousers", rng))
    skin = plain(draw_tint("skin", rng, spread=0.08))
    shoe = plain(draw_tint("shoe", rng), gloss=0.15)
    coat = kind < 0.2 and not child
    skirted = woman and not coat and rng.random() < 0.22
    shorts = not warm and not skirted and rng.random() < 0.35
    skirt = plain(draw_tint("trousers" if rng.random() < 0.6 else "jacket", rng)) if skirted else None
    if dark:
        top, trousers = plain(shade(NIGHT_CLOTH, float(rng.uniform(0.7, 1.5)))), plain(NIGHT_CLOTH)
        skirt = trousers if skirted else None
    clothes = Clothes(
        top, trousers, shoe, skin, hem=-1.0 + 0.2 * float(rng.random()) if coat else -0.2 if warm else -0.09,
        sleeves=0.96 if warm or rng.random() < 0.35 else -0.4, legs=-1.0 if shorts else 1.0, skirt=skirt,
        thick=float(rng.uniform(0.007, 0.015)) if warm else 0.004,
        girth=float(rng.uniform(0.92, 1.10)) * (1.06 if elder else 1.0) * (0.97 if woman else 1.02),
    )  # fmt: skip
    grey = elder or (not child and rng.random() < 0.1)
    table = "grey_hair" if grey else "dark_hair" if skin.colour[1] < 0.2 else "hair"
    hair = plain(draw_tint(table, rng), gloss=0.1)
    draw = float(rng.random())
    if rain and draw < 0.4:
        style = "hood"
    elif warm and draw < 0.5:
        style = "beanie" if draw > 0.42 else "cap"
    elif woman:
        style = ("long", "long", "bun", "short")[int(rng.integers(4))]
    else:
        style = "bald" if draw > (0.75 if elder else 0.93) and not child else "short"
    if style == "cap" and draw < 0.34:
        style = "long" if woman else "short"
    cover = top if style == "hood" else plain(draw_tint("jacket", rng))
    beard = not woman and not child and rng.random() < 0.25
    return clothes, Headwear(skin, hair, style, cover, beard)


def _draw_belonging(rng: np.random.Generator, *, rain: bool, child: bool, elder: bool) -> str:
    """What the person carries: "umbrella" (in rain), "backpack", "handbag", "bag", "phone", "stick" or ""."""
    draw = float(rng.random())
    if rain and not child and draw < 0.6:
        return "umbrella"
    if elder and draw < 0.3:
        return "stick"
    draw = float(rng.random())
    if draw < 0.24:
        return "backpack"
    if child or draw > 0.55:
        return ""
    return "handbag" if draw < 0.36 else "bag" if draw < 0.46 else "phone"


def _add_belonging(builder: SolidBuilder, body: Stature, pose: BodyPose, kind: str, rng: np.random.Generator) -> None:
    """Add what is carried; it is not part of the person."""
    cloth = plain(draw_tint("umbrella" if kind == "umbrella" else "bag", rng), carried=True)
    height = body.height
    hand = pose.wrists[:, 1] + (pose.wrists[:, 1] - pose.elbows[:, 1]) / body.forearm * 0.6 * body.hand
    if kind == "umbrella":
        _add_umbrella(builder, hand, height, cloth)
    elif kind == "backpack":
        middle = 0.42 * pose.pelvis + 0.58 * pose.chest + np.array([-0.098 * height, 0.0, 0.01 * height])
        builder.ellipsoid(middle, (0.052 * height, 0.082 * height, 0.13 * height), cloth, power=3.2, sides=12, bands=8)
        for side in (1, -1):
            top = pose.chest + np.array([0.0, side * 0.066 * height, 0.022 * height])
            front = 0.45 * pose.pelvis + 0.55 * pose.chest + np.array([0.074 * height, side * 0.072 * height, 0.0])
            back = front + np.array([-0.05, side * 0.035, -0.06]) * height
            path = np.stack(
                [top - np.array([0.05, 0, 0]) * height, top, top + np.array([0.052, 0, -0.035]) * height, front, back],
                1,
            )
            tube(builder, path, np.array([(0.005, 0.013)] * 5) * height, cloth, left=np.array([0.0, 1.0, 0.0]), sides=5)
    elif kind in ("bag", "handbag"):
        wide = 0.11 if kind == "bag" else 0.085
        middle = hand + np.array([0.0, 0.0, -(0.05 + wide) * height])
        builder.ellipsoid(middle, (wide * height, 0.030 * height, 0.9 * wide * height), cloth, power=3.6, sides=12)
        for side in (1, -1):
            rod(builder, hand, middle + np.array([side * 0.05, 0, 0.8 * wide]) * height, 0.004 * height, cloth)
    elif kind == "phone":
        screen = Finish(linear("#17181a"), gloss=0.8, carried=True)
        builder.ellipsoid(hand + np.array([0.01, 0.0, 0.03]), (0.012, 0.037, 0.07), screen, power=5.0, sides=8, bands=5)
    elif kind == "stick":
        wood = plain(linear("#3f2e22"), carried=True)
        foot = hand * [1.0, 1.0, 0.0] + np.array([0.05, -0.02, 0.0])
        foot[:, 2] = 0.008 + 0.10 * np.clip(hand[:, 0] - hand[:, 0].mean(), -0.2, 0.0)
        foot[:, 2] = np.clip(foot[:, 2], 0.008, None)
        rod(builder, hand + np.array([0.0, 0.0, 0.01]), foot, 0.011, wood, ends=0.3)


def _add_umbrella(builder: SolidBuilder, hand: np.ndarray, height: float, cloth: Finish) -> None:
    """An open umbrella over the head, its shaft in the right hand."""
    lean = np.array([0.04, 0.10, 0.0]) * height
    top = hand + lean + np.array([0.0, 0.0, 0.44 * height])
    rod(builder, hand - 0.12 * (top - hand), top, 0.009, plain(SILVER, carried=True))
    rings = np.array([(0.00, 0.54), (0.055, 0.46), (0.12, 0.33), (0.165, 0.18), (0.185, 0.05)])
    axes = np.array([1.0, 0.0, 0.0])[None, None], np.array([0.0, 1.0, 0.0])[None, None]
    spokes = np.ones((len(rings), 16))
    spokes[:, 1::2] = 0.955
    outer = top[:, None] + np.stack([0 * rings[:, 0], 0 * rings[:, 0], rings[:, 0] - 0.17], -1)
    radii = np.repeat(rings[:, 1:], 2, 1)
    loft(builder, outer, axes, radii, cloth, sides=16, uneven=spokes, ends=(None, 0.3))
    # The inside, a centimetre below, is what one sees from the ground: it faces downwards.
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1) * spokes[..., None] * radii[:, :1, None]
    builder.grid((outer - np.array([0.0, 0.0, 0.012]))[:, :, None] + around, cloth, closed=True)
