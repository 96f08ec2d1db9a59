"""What the channels of a layout mean: the raster that scenes are drawn to and a model is conditioned on."""

from __future__ import annotations

from worldgen.core.labels import CLASSES

LAYOUT_CHANNELS = (
    "drivable", "lane_marks", "crossing", *CLASSES, "inverse_depth", "instance_edges", "motion_forward", "motion_left",
)  # fmt: skip
"""What each of the K = 16 maps means. Shares of a cell: drivable road (marks and crossings on it included), painted
marks, crossings, the silhouette of each class, the outlines of single objects; inverse depth: ``scale / (scale +
depth)`` with the scale below, 1 at the lens, 0.5 at 10 m, 0 for the sky; and what things do by themselves since the frame
before: velocity over the ground along the ego's axes, ``0.5 + v / (2 * range)`` with the range below."""

INVERSE_DEPTH_CHANNEL = LAYOUT_CHANNELS.index("inverse_depth")
DEPTH_SCALE_M = 10.0

MOTION_CHANNELS = (LAYOUT_CHANNELS.index("motion_forward"), LAYOUT_CHANNELS.index("motion_left"))
MOTION_RANGE_MPS = 40.0
"""Faster things are clipped to this."""
