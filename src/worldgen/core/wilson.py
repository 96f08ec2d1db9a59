"""The 95 % interval of a share: how far the share of all clips may be from that of the clips counted."""

from __future__ import annotations

import math

Z95 = 1.959964
"""Two-sided 95 % quantile of the standard normal distribution."""


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Lower and upper end of the 95 % interval of the share ``hits / count``, within 0 to 1; (0, 1) for a count of 0.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if count == 0:
        return 0.0, 1.0
    p, z = hits / count, Z95
    centre, scale = p + z * z / (2 * count), 1 + z * z / count
    half = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
