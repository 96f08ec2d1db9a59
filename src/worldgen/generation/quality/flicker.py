"""Flicker: changes of brightness between frames that the motion in them does not explain."""

from __future__ import annotations

import cv2
import numpy as np

BLUR_PX = 1.5
"""Standard deviation of the blur before frames are compared. Rain, snow and sensor noise change single pixels of every
frame; flickering textures and lights are larger."""
LEAST_CONTRAST = 4.0
"""Smallest contrast that the change is divided by, in grey levels; otherwise the last bit of dark frames would count
as flicker."""
TRIMMED = 0.05
"""Share of pixels with the largest change that is left out: no flow is right where background is uncovered."""


def flicker(grey: np.ndarray) -> float:
    """Mean unexplained change of the middle of three frames, over their contrast; dimensionless, 0 without flicker.

    grey: ``(T, H, W)`` uint8, T >= 3. Each neighbour is warped to the middle frame along dense optical flow (DIS,
    Kroeger et al. 2016, arXiv:1603.03590); the difference from the mean of both is a change that motion does
    not explain.
    """
    assert grey.ndim == 3 and len(grey) >= 3, grey.shape
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    rows, columns = np.mgrid[0 : grey.shape[1], 0 : grey.shape[2]].astype(np.float32)
    smooth = [cv2.GaussianBlur(frame, (0, 0), BLUR_PX).astype(np.float32) for frame in grey]
    changes, contrast = [], []
    for middle in range(1, len(grey) - 1):
        warped = []
        for other in (middle - 1, middle + 1):
            flow = method.calc(grey[middle], grey[other], None)  # type: ignore[call-overload]  # flow may be None
            warped.append(
                cv2.remap(
                    smooth[other],
                    columns + flow[..., 0],
                    rows + flow[..., 1],
                    cv2.INTER_LINEAR,
                    None,
                    cv2.BORDER_REPLICATE,
                )
            )
        change = np.abs(smooth[middle] - (warped[0] + warped[1]) / 2).ravel()
        kept = int(len(change) * (1 - TRIMMED))
        changes.append(float(np.partition(change, kept - 1)[:kept].mean()))
        contrast.append(float(smooth[middle].std()))
    return float(np.mean(changes) / max(float(np.mean(contrast)), LEAST_CONTRAST))
