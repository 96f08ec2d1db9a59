"""The ground in a picture: horizon and height of the camera from the labels, with uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES

HEIGHT_M = {
    "pedestrian": (1.70, 0.10), "cyclist": (1.70, 0.10), "car": (1.53, 0.10), "truck": (2.9, 0.30), "bus": (3.05, 0.15),
    "motorcycle": (1.50, 0.15), "bicycle": (1.10, 0.15),
}  # fmt: skip
"""Class -> height of a common one in metres, and the standard deviation of its logarithm. Source: vehicle data sheets;
statures of adults with some children among them."""
OUTLIERS = 0.2
"""Share of boxes that may say nothing: cut at the bottom, groups in one box, objects that stand higher."""
OUTLIER_SIGMA = 0.8
BOX_SIGMA_PX = 1.5
UNEVEN = 0.006
"""Standard deviation of the horizon of the ground under single objects, as a share of the picture's height."""
HEIGHT_PRIOR_M, HEIGHT_PRIOR_SIGMA = 1.45, 0.22
HORIZON_PRIOR, HORIZON_PRIOR_SIGMA = 0.45, 0.13
"""Camera of cars: height and standard deviation of its logarithm; horizon as a share of the picture's height."""
COMMON_SIGMA = (0.012, 0.05)
"""Least deviations of horizon and logarithm of the height of one picture from what few pictures have in common."""
MOST_SIGMA = 0.15
"""Largest relative uncertainty of sizes with which objects are put into a picture."""
DEFAULT_FOV_DEG = 60.0
"""Horizontal field of view where nothing says it. Sizes in pixels do not depend on it, distances do."""
GRID = (161, 49)
"""Horizons and heights that are tried."""


@dataclass(frozen=True)
class GroundBelief:
    """Horizon (share of the picture's height) and logarithm of the camera's height (m), each with a deviation."""

    horizon: float = HORIZON_PRIOR
    horizon_sigma: float = HORIZON_PRIOR_SIGMA
    log_height: float = math.log(HEIGHT_PRIOR_M)
    height_sigma: float = HEIGHT_PRIOR_SIGMA


@dataclass(frozen=True)
class PictureGround:
    """Flat ground in one picture. camera: with horizon and height. horizon_sigma_px: deviation of the horizon.
    height_sigma: of the logarithm of the height. scale_sigma: relative deviation of the size of an object in the middle
    of the ground. boxes: labels that were used. source: "camera", "cuboids", "labels" or "other pictures"."""

    camera: Camera
    horizon_sigma_px: float
    height_sigma: float
    scale_sigma: float
    boxes: int
    source: str

    def height_px(self, height_m: float, row_px: float) -> float:
        """Height in pixels of an upright object of a height that stands on a row; 0 above the horizon.

        Source: Hoiem, Efros & Hebert, "Putting Objects in Perspective" (CVPR 2006), equation 6.
        """
        return max(0.0, height_m * (row_px - self.camera.horizon_px) / self.camera.height_m)

    def place_m(self, column_px: float, row_px: float) -> tuple[float, float]:
        """Ego x and y (m) of the ground at a pixel below the horizon."""
        camera = self.camera
        c, s = math.cos(camera.pitch_rad), math.sin(camera.pitch_rad)
        x, y = (column_px - camera.cx_px) / camera.fx_px, (row_px - camera.cy_px) / camera.fy_px
        down = s + c * y
        assert down > 0, (row_px, camera.horizon_px)
        depth = camera.height_m / down
        return depth * (c - s * y), -depth * x


def usable_boxes(
    class_id: np.ndarray, box_px: np.ndarray, ignore: np.ndarray, size_px: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Class indices and boxes that can say where the ground is: of known height, whole, and not at the border."""
    width, height = size_px
    known = np.isin(class_id, [CLASSES.index(name) for name in HEIGHT_M]) & ~ignore
    inside = (box_px[:, 0] > 2) & (box_px[:, 1] > 2) & (box_px[:, 2] < width - 2) & (box_px[:, 3] < height - 2)
    kept = known & inside & (box_px[:, 3] - box_px[:, 1] >= 8)
    return class_id[kept], box_px[kept]


def ground_belief(
    class_id: np.ndarray, box_px: np.ndarray, height_px: int, prior: GroundBelief
) -> tuple[GroundBelief, float]:
    """What the boxes of one picture say of horizon and camera height, and the relative deviation of sizes.

    class_id ``(N,)``, box_px ``(N, 4)``: of :func:`usable_boxes`. The posterior is computed on a grid, so there is no
    start value and no local optimum; a share of ``OUTLIERS`` of the boxes may be wrong by any factor.
    """
    horizon = np.linspace(0.1, 0.8, GRID[0])[:, None]
    log_height = np.linspace(math.log(0.9), math.log(3.2), GRID[1])[None]
    belief = -0.5 * ((horizon - prior.horizon) / prior.horizon_sigma) ** 2
    belief = belief - 0.5 * ((log_height - prior.log_height) / prior.height_sigma) ** 2
    for number, box in zip(class_id, box_px, strict=True):
        mean_m, spread = HEIGHT_M[CLASSES[int(number)]]
        tall, bottom = float(box[3] - box[1]), float(box[3]) / height_px
        below = np.maximum(bottom - horizon, 1e-4)
        told = np.log(mean_m * height_px * below) - log_height
        noise = spread**2 + (BOX_SIGMA_PX / tall) ** 2 + (BOX_SIGMA_PX / height_px / below) ** 2 + (UNEVEN / below) ** 2
        error = (math.log(tall) - told) ** 2
        good = (1 - OUTLIERS) * np.exp(-0.5 * error / noise) / np.sqrt(noise)
        wild = OUTLIERS * np.exp(-0.5 * np.minimum(error / OUTLIER_SIGMA**2, 9.0)) / OUTLIER_SIGMA
        belief = belief + np.log(good + wild)
    share = np.exp(belief - belief.max())
    share /= share.sum()
    mean = float((share * horizon).sum()), float((share * log_height).sum())
    sigma = [
        math.sqrt(float((share * (grid - m) ** 2).sum())) for grid, m in zip((horizon, log_height), mean, strict=True)
    ]
    middle = mean[0] + 0.5 * (1 - mean[0])
    scale = np.log(np.maximum(middle - horizon, 1e-3)) - log_height
    scale_sigma = math.sqrt(float((share * (scale - (share * scale).sum()) ** 2).sum()))
    return GroundBelief(mean[0], sigma[0], mean[1], sigma[1]), scale_sigma


def shared_belief(pictures: Sequence[tuple[np.ndarray, np.ndarray]], heights_px: Sequence[int]) -> GroundBelief:
    """What the pictures of one camera, or of similar cameras, have in common: the prior for each of them.

    pictures: class indices and boxes of :func:`usable_boxes` of each. heights_px: of the pictures. Where pictures know
    their ground from their own boxes, the deviations are those of single pictures around the common median, so
    different cameras give a wide prior. Where fewer than 4 do, all boxes together say what is common, and each picture
    may lie as far from it as single pictures lie from each other beyond what they do not know of themselves.
    """
    beliefs = [
        ground_belief(classes, boxes, tall, GroundBelief())
        for (classes, boxes), tall in zip(pictures, heights_px, strict=True) if len(classes)
    ]  # fmt: skip
    sure = [belief for belief, sigma in beliefs if sigma <= MOST_SIGMA]
    if len(sure) >= 4:
        middle, spread = _middle_and_spread(sure)
        return GroundBelief(middle[0], max(spread[0], 0.012), middle[1], max(spread[1], 0.05))
    if len(beliefs) < 4:
        return GroundBelief()
    classes = np.concatenate([classes for classes, _ in pictures])
    shares = [boxes / tall for (_, boxes), tall in zip(pictures, heights_px, strict=True)]
    tall = round(float(np.median(heights_px)))
    common, _ = ground_belief(classes, np.concatenate(shares) * tall, tall, GroundBelief())
    _, spread = _middle_and_spread([belief for belief, _ in beliefs])
    own = np.median([[b.horizon_sigma, b.height_sigma] for b, _ in beliefs], 0)
    excess = np.sqrt(np.maximum(np.square(spread) - np.square(own), np.square(COMMON_SIGMA)))
    return GroundBelief(common.horizon, float(excess[0]), common.log_height, float(excess[1]))


def _middle_and_spread(beliefs: Sequence[GroundBelief]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Medians of horizon and logarithm of the height, and their robust deviations."""
    values = np.array([[b.horizon, b.log_height] for b in beliefs])
    middle = np.median(values, 0)
    spread = 1.4826 * np.median(np.abs(values - middle), 0)
    return (float(middle[0]), float(middle[1])), (float(spread[0]), float(spread[1]))


def estimate_ground(
    picture_boxes: tuple[np.ndarray, np.ndarray], size_px: tuple[int, int], *, prior: GroundBelief | None = None,
    fov_deg: float = DEFAULT_FOV_DEG, name: str = "picture",
) -> PictureGround:  # fmt: skip
    """The ground of one picture from its labels.

    picture_boxes: class indices and boxes of :func:`usable_boxes`. prior: what similar pictures say.

    Raises:
        InputError: the sizes of objects would be uncertain by more than ``MOST_SIGMA``.
    """
    belief, scale_sigma = ground_belief(*picture_boxes, size_px[1], prior or GroundBelief())
    count = len(picture_boxes[0])
    if scale_sigma > MOST_SIGMA:
        received = Received(f"{count} whole boxes of known height, sizes uncertain by {100 * scale_sigma:.0f} %")
        raise InputError(f"ground plane of {name}", received, f"at most {100 * MOST_SIGMA:.0f} %")
    camera = camera_of(size_px, belief.horizon * size_px[1], math.exp(belief.log_height), fov_deg)
    return PictureGround(
        camera, belief.horizon_sigma * size_px[1], belief.height_sigma, scale_sigma, count,
        "labels" if count else "other pictures",
    )  # fmt: skip


def camera_of(size_px: tuple[int, int], horizon_px: float, height_m: float, fov_deg: float) -> Camera:
    """A camera with its principal point in the middle whose horizon is at a row."""
    flat = Camera.from_fov(*size_px, fov_deg, height_m=height_m)
    return Camera.from_fov(
        *size_px, fov_deg, height_m=height_m, pitch_rad=math.atan((flat.cy_px - horizon_px) / flat.fy_px)
    )
