"""What the channels of a layout mean: the raster that scenes are drawn to and a model is conditioned on."""

from __future__ import annotations

from worldgen.core.labels import CLASSES

LAYOUT_CHANNELS = ("drivable", "lane_marks", "crossing", *CLASSES, "inverse_depth", "instance_edges")
"""What each of the K = 14 maps means. Shares of a cell: drivable road (marks and crossings on it included), painted
marks, crossings, the silhouette of each class, the outlines of single objects; and inverse depth: ``scale / (scale +
depth)`` with the scale below, 1 at the lens, 0.5 at 10 m, 0 for the sky."""

INVERSE_DEPTH_CHANNEL = LAYOUT_CHANNELS.index("inverse_depth")
DEPTH_SCALE_M = 10.0
