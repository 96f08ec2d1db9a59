"""What the channels of a layout mean: the raster that scenes are drawn to and a model is conditioned on."""

from __future__ import annotations

from worldgen.core.labels import CLASSES

LAYOUT_CHANNELS = (
    "drivable", "lane_marks", "crossing", *CLASSES, "inverse_depth", "instance_edges", "motion_forward", "motion_left",
    "base_red", "base_green", "base_blue", "normal_forward", "normal_left", "normal_up", "glow_red", "glow_green", "glow_blue",
    "falling",
)  # fmt: skip
"""What each of the K = 26 maps means. Shares of a cell: drivable road (marks and crossings on it included), painted
marks, crossings, the silhouette of each class, the outlines of single objects. Inverse depth: ``scale / (scale +
depth)`` with the scale below, 1 at the lens, 0.5 at 10 m, 0 for the sky. What things do by themselves since the frame
before: velocity over the ground along the ego's axes, ``0.5 + v / (2 * range)`` with the range below.

The last ten say what surfaces are made of, as the G-buffers that neural renderers are conditioned on (Liang et al. 2025,
"DiffusionRenderer", arXiv:2501.18590, section 4), and nothing of light and weather, which are the words' to say. Base colour: the square root of
the albedo of dry surfaces without snow. Normals along the ego's axes, ``0.5 + n / 2``; 0.5 each where there is none. Glow:
what lamps and lit windows would send out at night, ``sqrt(radiance / range)`` with the range below. Falling: the share of
a cell that drops or flakes in the air cover.
"""

INVERSE_DEPTH_CHANNEL = LAYOUT_CHANNELS.index("inverse_depth")
DEPTH_SCALE_M = 10.0

MOTION_CHANNELS = (LAYOUT_CHANNELS.index("motion_forward"), LAYOUT_CHANNELS.index("motion_left"))
MOTION_RANGE_MPS = 40.0
"""Faster things are clipped to this."""

BASE_CHANNELS = tuple(LAYOUT_CHANNELS.index(f"base_{colour}") for colour in ("red", "green", "blue"))

GLOW_CHANNELS = tuple(LAYOUT_CHANNELS.index(f"glow_{colour}") for colour in ("red", "green", "blue"))
FALLING_CHANNEL = LAYOUT_CHANNELS.index("falling")

GLOW_RANGE = 9.0
"""Radiance of a headlamp relative to a white surface in daylight; brighter things are clipped to this."""

LEFT_CHANNELS = (LAYOUT_CHANNELS.index("motion_left"), LAYOUT_CHANNELS.index("normal_left"))
"""Channels that say how far something points to the left, 0.5 for not at all: a mirror image turns them over."""
