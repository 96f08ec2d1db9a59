"""The verifier as judge of inserts, for sets without a detector of their own."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.generation.insert.insert_judge import BoxJudge, InsertVerdict
from worldgen.instruments.verifier.verifier import KIND_OF_CLASS, NONE, WIDTH_PX, Verifier, load_verifier, verify
from worldgen.models.weights import weights_hash

AROUND = 3.0
"""Side of the part of the picture that is looked at, in longer sides of the insert."""
LEAST_SIDE_PX = 160
LEAST_KIND, LEAST_FIT = 0.5, 0.4
"""Probability of its kind (vehicle, person, street object), and estimated overlap of the box, from which an insert is
found. Their rates on real boxes and on boxes of empty ground: ``eval/results/insert/judges.json``."""
STILL_FPS = 10.0


class VerifierJudge(BoxJudge):
    """Asks the shipped verifier, or that of a folder, for each insert. It does not know animals."""

    def __init__(self, verifier: Verifier, *, least_fit: float = LEAST_FIT):
        self.verifier, self.least_fit = verifier, least_fit
        self.name, self.hash = "verifier", weights_hash(verifier.state_dict())

    @classmethod
    def load(cls, folder: str = "") -> VerifierJudge:
        """The shipped verifier, or that of a folder. Raises: InputError when there is none."""
        return cls(load_verifier(folder or None))

    def verdict_of(self, frame: np.ndarray, class_name: str, box_px: np.ndarray) -> InsertVerdict:
        """As :class:`~worldgen.generation.insert.insert_judge.BoxJudge` says; animals are not judged."""
        if class_name not in LAYOUT_CLASSES:
            return InsertVerdict(True, "not judged")
        box = np.asarray(box_px, float)
        side = max(AROUND * float((box[2:] - box[:2]).max()), float(LEAST_SIDE_PX))
        middle = (box[:2] + box[2:]) / 2
        low = np.maximum(np.floor(middle - side / 2), 0).astype(int)
        high = np.minimum(np.ceil(middle + side / 2), frame.shape[1::-1]).astype(int)
        part = frame[low[1] : high[1], low[0] : high[0]]
        if part.size == 0:
            raise InputError("box to judge", box.tolist(), "a box inside its picture")
        scale = WIDTH_PX / part.shape[1]
        size = (WIDTH_PX, max(16, round(part.shape[0] * scale)))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        here = (box - np.tile(low, 2)) * np.tile(np.array(size) / (high - low), 2)
        answers = verify(self.verifier, Clip(part[None], STILL_FPS), np.zeros(1, int), here[None])
        kind = KIND_OF_CLASS[LAYOUT_CLASSES.index(class_name)]
        share = float(answers.classes[0, :NONE][kind == KIND_OF_CLASS].sum())
        fit = float(answers.fit[0])
        called = "nothing" if answers.classes[0].argmax() == NONE else LAYOUT_CLASSES[answers.classes[0].argmax()]
        if share < LEAST_KIND:
            return InsertVerdict(False, "not found", share, fit, called)
        return InsertVerdict(fit >= self.least_fit, "found" if fit >= self.least_fit else "found elsewhere", share, fit,
                             called)  # fmt: skip
