"""High dynamic range to standard: frames coded with HLG or PQ in BT.2020 become BT.709 pictures."""

from __future__ import annotations

import numpy as np

PQ, HLG = 16, 18
"""Transfer characteristics of ITU-T H.273: SMPTE ST 2084 (perceptual quantiser) and ARIB STD-B67 (hybrid log-gamma)."""

PEAK_NITS = 1000.0
"""Peak of the display that HDR is graded for, in cd/m2: the nominal one of HLG (BT.2100) and the usual one of PQ.
Brighter pixels of PQ show as white."""
WHITE_NITS = 203.0
"""HDR reference white in cd/m2 (ITU-R BT.2408), which becomes the white of the result."""
SDR_GAMMA = 2.4
"""Exponent of the display of the result (ITU-R BT.1886)."""

M1, M2 = 2610 / 16384, 2523 / 4096 * 128
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
PQ_MAX_NITS = 10_000.0
"""Constants of SMPTE ST 2084."""

A = 0.17883277
B, C = 1 - 4 * A, 0.5 - A * float(np.log(4 * A))
OOTF_GAMMA = 1.2
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
"""Constants of HLG (ITU-R BT.2100, table 5): inverse transfer, system gamma at 1000 cd/m2, luminance of BT.2020."""

TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)
"""Linear BT.2020 to linear BT.709 primaries (ITU-R BT.2087)."""


def pq_nits(signal: np.ndarray) -> np.ndarray:
    """Luminance in cd/m2 of PQ signals in [0, 1], float64. Source: SMPTE ST 2084, equation 4."""
    power = np.asarray(signal, np.float64) ** (1 / M2)
    return PQ_MAX_NITS * (np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1)


def pq_signal(nits: np.ndarray) -> np.ndarray:
    """PQ signals in [0, 1] of luminances in cd/m2, float64: the inverse of :func:`pq_nits`."""
    power = (np.asarray(nits, np.float64) / PQ_MAX_NITS) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


def rolled_off(nits: np.ndarray) -> np.ndarray:
    """Luminances up to ``PEAK_NITS`` brought below ``WHITE_NITS``: equal up to a knee, then a smooth shoulder.

    Source: ITU-R BT.2390, section 5.4 (EETF): a Hermite spline in PQ from the knee 1.5 * target - 0.5, black 0.
    """
    top = pq_signal(np.array(PEAK_NITS))
    target = pq_signal(np.array(WHITE_NITS)) / top
    knee = 1.5 * target - 0.5
    e = np.minimum(pq_signal(nits) / top, 1.0)
    t = np.clip((e - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * target
    return pq_nits(np.where(e < knee, e, spline) * top)


_SIGNAL = np.arange(65536) / 65535
_PQ_NITS = pq_nits(_SIGNAL).astype(np.float32)
_HLG_SCENE = np.where(_SIGNAL <= 0.5, _SIGNAL**2 / 3, (np.exp((_SIGNAL - C) / A) + B) / 12).astype(np.float32)
_GAIN_AT = np.concatenate([[0.0], np.geomspace(1e-3, PQ_MAX_NITS, 4096)])
_GAIN = np.concatenate([[1.0], rolled_off(_GAIN_AT[1:]) / _GAIN_AT[1:]])
"""Tables by 16-bit signal, and the factor of the roll-off by the luminance of the brightest channel."""


def tone_mapped(rgb: np.ndarray, transfer: int) -> np.ndarray:
    """An HDR picture as standard RGB ``(H, W, 3)`` uint8.

    The signal becomes light on a 1000 cd/m2 display; all channels of a pixel are scaled by the factor that
    :func:`rolled_off` gives its brightest one, so hues stay; then BT.709 primaries and the gamma of BT.1886.

    Args:
        rgb: ``(H, W, 3)`` uint16, nonlinear BT.2020 RGB of full range.
        transfer: ``PQ`` or ``HLG``.
    """
    if transfer == PQ:
        light = _PQ_NITS[rgb]
    else:
        light = _HLG_SCENE[rgb]
        light *= PEAK_NITS * np.maximum(light @ LUMINANCE, 1e-9)[..., None] ** np.float32(OOTF_GAMMA - 1)
    light *= np.interp(light.max(-1), _GAIN_AT, _GAIN).astype(np.float32)[..., None] / np.float32(WHITE_NITS)
    shown = np.clip(light @ TO_BT709.T, 0, 1) ** np.float32(1 / SDR_GAMMA)
    return np.round(shown * 255).astype(np.uint8)
