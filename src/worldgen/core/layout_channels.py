"""Channels of a layout: the G-buffer raster of a scene that a native model is conditioned on."""

from __future__ import annotations

from worldgen.core.labels import LAYOUT_CLASSES

LAYOUT_CHANNELS = (
    "drivable", "lane_marks", "crossing", *LAYOUT_CLASSES, "inverse_depth", "instance_edges", "motion_forward",
    "motion_left",
    "base_red", "base_green", "base_blue", "normal_forward", "normal_left", "normal_up",
    "glow_red", "glow_green", "glow_blue", "falling",
)  # fmt: skip
"""Names of the K = 26 channels of a layout ``(T, K, h, w)``, whose values are in [0, 1].

- ``drivable`` (markings and crossings on the road included), ``lane_marks``, ``crossing``, one channel for the
  silhouette of each class, ``instance_edges`` (outlines of single objects): share of the cell that is covered.
- ``inverse_depth``: ``scale / (scale + depth)`` with ``DEPTH_SCALE_M``; 1 at the lens, 0.5 at 10 m, 0 for the sky.
- ``motion_forward``, ``motion_left``: velocity of objects over the ground since the previous frame, along the axes of
  the ego frame: ``0.5 + v / (2 * range)`` with ``MOTION_RANGE_MPS``.

The last ten channels describe materials, as the G-buffers of neural renderers do (Liang et al. 2025,
"DiffusionRenderer", arXiv:2501.18590, section 4). They hold nothing of light and weather, which the text describes.

- ``base_*``: square root of the albedo of dry surfaces without snow.
- ``normal_*``: surface normals along the axes of the ego frame, ``0.5 + n / 2``; 0.5 each where there is no surface.
- ``glow_*``: light that lamps and lit windows emit at night, ``sqrt(radiance / range)`` with ``GLOW_RANGE``.
- ``falling``: share of the cell that drops or flakes in the air cover.
"""

INVERSE_DEPTH_CHANNEL = LAYOUT_CHANNELS.index("inverse_depth")
DEPTH_SCALE_M = 10.0
"""Depth at which the channel ``inverse_depth`` is 0.5."""

MOTION_CHANNELS = (LAYOUT_CHANNELS.index("motion_forward"), LAYOUT_CHANNELS.index("motion_left"))
MOTION_RANGE_MPS = 40.0
"""Largest speed along an axis that the motion channels hold; higher speeds are clipped."""

BASE_CHANNELS = tuple(LAYOUT_CHANNELS.index(f"base_{colour}") for colour in ("red", "green", "blue"))

GLOW_CHANNELS = tuple(LAYOUT_CHANNELS.index(f"glow_{colour}") for colour in ("red", "green", "blue"))
FALLING_CHANNEL = LAYOUT_CHANNELS.index("falling")

GLOW_RANGE = 9.0
"""Radiance of a headlamp relative to a white surface in daylight; brighter lights are clipped."""

LEFT_CHANNELS = (LAYOUT_CHANNELS.index("motion_left"), LAYOUT_CHANNELS.index("normal_left"))
"""Channels with a component to the left, 0.5 for none. A mirrored layout has ``1 - value`` there."""
