"""Rain, fog, darkness and snow painted over pictures by a public library: the simple alternative to a world model."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from worldgen.core.errors import MissingDependencyError
from worldgen.core.seeds import numpy_rng
from worldgen.instruments.detector.pictures import Pictures

KINDS = ("rain", "fog", "dark", "snow")


def weathered(pictures: Pictures, *, seed: int = 0, kinds: tuple[str, ...] = KINDS) -> Pictures:
    """The same pictures and boxes, each under one of the kinds of painted weather. Equal arguments give equal pixels.

    Uses albumentations (MIT): RandomRain, RandomFog, RandomBrightnessContrast with RandomGamma and ISONoise for
    darkness, RandomSnow. Raises: MissingDependencyError without it.
    """
    transforms = _transforms()
    frames = np.empty_like(pictures.frames)
    for number, frame in enumerate(pictures.frames):
        rng = numpy_rng("weather", seed, number)
        paint = transforms[kinds[int(rng.integers(len(kinds)))]]
        frames[number] = paint(frame, int(rng.integers(2**31)))
    return Pictures(frames, pictures.boxes, pictures.clip_index, pictures.tags)


def _transforms() -> dict[str, Callable[[np.ndarray, int], np.ndarray]]:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise it looks for a newer release over the network
    try:
        import albumentations as library
    except ImportError as error:
        raise MissingDependencyError("albumentations", "weather", "the arm with painted weather") from error
    kinds = {
        "rain": [library.RandomRain(p=1.0), library.RandomBrightnessContrast((-0.25, -0.05), (-0.2, 0.0), p=1.0)],
        "fog": [library.RandomFog(fog_coef_range=(0.3, 0.8), p=1.0)],
        "dark": [
            library.RandomBrightnessContrast((-0.55, -0.3), (-0.3, 0.0), p=1.0), library.RandomGamma((110, 160), p=1.0),
            library.ISONoise(p=1.0),
        ],
        "snow": [library.RandomSnow(p=1.0)],
    }  # fmt: skip
    assert set(kinds) == set(KINDS)

    def painter(steps: list) -> Callable[[np.ndarray, int], np.ndarray]:
        chain = library.Compose(steps)

        def paint(frame: np.ndarray, seed: int) -> np.ndarray:
            chain.set_random_seed(seed)
            return chain(image=np.ascontiguousarray(frame))["image"]

        return paint

    return {name: painter(steps) for name, steps in kinds.items()}
