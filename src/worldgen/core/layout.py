"""What the channels of a layout mean: the raster a model is conditioned on and the rasteriser draws."""

from __future__ import annotations

from worldgen.core.labels import CLASSES

LAYOUT_CHANNELS = ("drivable", "lane_marks", "crossing", *CLASSES, "inverse_depth", "instance_edges")
"""Order of the K channels; all values are in [0, 1], area-averaged over a cell."""

INVERSE_DEPTH_CHANNEL = LAYOUT_CHANNELS.index("inverse_depth")
INVERSE_DEPTH_SCALE_M = 2.0
"""Value of the inverse-depth channel = min(1, scale / depth): 1 at two metres or nearer, 0 at infinity."""
