"""Clips in which what was ordered is missing, or half of it, by which the bound of ``presence`` is set and examined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.labels import Labels
from worldgen.core.scene import Scene
from worldgen.generation.sample.subjects import OrderedSubject
from worldgen.rendering.drawn_clips import Renderer, draw_scene

SUBJECT_FAULTS = ("absent", "halved")


def absent(
    clip: Clip, scene: Scene, subjects: tuple[OrderedSubject, ...], renderer: Renderer = "sketch", *,
    painted: bool = False,
) -> Clip:  # fmt: skip
    """The scene of a clip, rendered without the agents that were ordered; where they were is what lies behind them.

    renderer: the one that drew the clip. painted: whether the painter of the shipped model painted it.
    """
    kept = tuple(
        agent for agent in scene.agents
        if not any(
            agent.label == subject.class_name and (subject.track_ids is None or agent.track_id in subject.track_ids)
            for subject in subjects
        )
    )  # fmt: skip
    size = (clip.width_px, clip.height_px)
    drawn = draw_scene(replace(scene, agents=kept), size=size, renderer=renderer)[0].clip
    if not painted:
        return drawn
    from worldgen.generation.rendered.shipped_painter import painted_clip

    return painted_clip(drawn, seed=scene.seed)[0]


def halved(clip: Clip, without: Clip, labels: Labels, subjects: tuple[OrderedSubject, ...]) -> Clip:
    """The lower half of everything ordered is replaced by what lies behind it: a body without legs.

    without: the clip of :func:`absent`.
    """
    frames = clip.frames.copy()
    rows = np.any([subject.rows(labels) for subject in subjects], 0)
    limit = np.array([labels.width_px, labels.height_px] * 2)
    for frame, box in zip(labels.frame_index[rows], labels.amodal_box_px[rows], strict=True):
        x0, y0, x1, y1 = np.clip([*np.floor(box[:2]), *np.ceil(box[2:])], 0, limit).astype(int)
        middle = int(np.clip(round(float(box[1] + box[3]) / 2), y0, y1))
        frames[frame, middle:y1, x0:x1] = without.frames[frame, middle:y1, x0:x1]
    return Clip(frames, clip.fps)
