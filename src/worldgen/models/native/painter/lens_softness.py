"""How much softer recordings are than drawings, from their power spectra.

Pictures of the natural world have spectra that fall with a power of the frequency (Field 1987,
doi:10.1364/JOSAA.4.002379); a lens takes more away, the higher the frequency. What the spectra of recordings lack at
high frequencies against the line through their low ones, and those of drawings do not, is the lens. Contrast and
clutter of the scenes do not matter to it: they move the whole line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from worldgen.core.errors import InputError, Received

BINS = np.arange(0.05, 0.501, 0.05)
"""Edges of the bands of frequency, in cycles per pixel."""
LINE_TO = 0.25
"""Frequency up to which the line is fitted."""
MOST_SIGMA_PX = 2.0
LUMA = np.array([0.299, 0.587, 0.114])


def log_spectrum(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Mean logarithm of the power of luma in each band ``(B,)``. pictures: ``(H, W, 3)`` uint8, each at least 32
    pixels high and wide.

    Raises: InputError for none, and for smaller ones.
    """
    rows = []
    for picture in pictures:
        height, width = picture.shape[:2]
        if min(height, width) < 32:
            raise InputError("picture for a spectrum", Received(f"{width}x{height}"), "at least 32 pixels a side")
        luma = picture.astype(np.float64) @ LUMA
        window = np.outer(np.hanning(height), np.hanning(width))
        power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
        band = np.digitize(frequency, BINS)
        rows.append([np.log(power[band == i].mean() + 1e-9) for i in range(1, len(BINS))])
    if not rows:
        raise InputError("pictures for a spectrum", 0, "at least one")
    return np.mean(rows, 0)


def lens_sigma_px(drawn: np.ndarray, recorded: Sequence[np.ndarray]) -> float:
    """Standard deviation in pixels of the Gaussian that makes drawings as soft as recordings, 0 where they are softer.

    drawn: ``log_spectrum`` of drawings. recorded: of each drive; drives count equally.
    """
    centre = (BINS[:-1] + BINS[1:]) / 2
    high = centre > LINE_TO
    lacking = np.mean([_below_line(each) for each in recorded], 0) - _below_line(drawn)
    # A Gaussian takes 4 pi^2 f^2 sigma^2 off the logarithm of the power; up to LINE_TO the line hides it.
    taken = 4 * np.pi**2 * (centre[high] ** 2 - LINE_TO**2)
    squared = float((taken * lacking).sum() / (taken * taken).sum())
    return min(float(np.sqrt(max(squared, 0.0))), MOST_SIGMA_PX)


def _below_line(spectrum: np.ndarray) -> np.ndarray:
    """By how much the high bands ``(H,)`` are below the line through the low ones, in logarithms."""
    centre = (BINS[:-1] + BINS[1:]) / 2
    low = centre <= LINE_TO
    slope, offset = np.polyfit(np.log(centre[low]), spectrum[low], 1)
    return (slope * np.log(centre[~low]) + offset) - spectrum[~low]
