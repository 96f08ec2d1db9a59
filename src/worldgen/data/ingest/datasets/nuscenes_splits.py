"""The published splits of nuScenes."""

from __future__ import annotations

VAL_SCENES = (
    (3, 3), (12, 18), (35, 39), (92, 110), (221, 221), (268, 278), (329, 346), (519, 524), (552, 565), (625, 638),
    (770, 784), (794, 802), (904, 931), (962, 972), (1059, 1073),
)  # fmt: skip
"""First and last number of each run of validation scenes of ``v1.0-trainval``. Source: ``nuscenes.utils.splits`` of
nuscenes-devkit 1.2.0."""
MINI_VAL_SCENES = ("scene-0103", "scene-0916")
"""Those of ``v1.0-mini``, from the same list."""


def published_split(version: str, scene: str) -> str | None:
    """The split of a scene as ``scene-0061``: train, val or test; None for a version or name of another kind.

    version: name of the folder of the tables. All of ``v1.0-test`` is test, and what is not val of the others is train.
    """
    number = scene.removeprefix("scene-")
    if not (scene.startswith("scene-") and number.isascii() and number.isdigit()):
        return None
    if version == "v1.0-test":
        return "test"
    if version == "v1.0-mini":
        return "val" if scene in MINI_VAL_SCENES else "train"
    if version == "v1.0-trainval":
        return "val" if any(first <= int(number) <= last for first, last in VAL_SCENES) else "train"
    return None
