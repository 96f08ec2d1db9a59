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
TALL_PX = 48.0
LEAST = {"tall": (0.005, 0.14), "small": (0.002, 0.03)}
"""Probability of its kind (vehicle, person, street object), and estimated overlap of the box, from which an insert is
found: from ``TALL_PX`` of height on, and below. They refuse about a tenth of real boxes. Their rates on real boxes and
on faults: ``eval/results/insert/judges.json``."""
STILL_FPS = 10.0
FOUND = "found"


class VerifierJudge(BoxJudge):
    """Asks the shipped verifier, or that of a folder, for each insert. It does not know animals."""

    def __init__(self, verifier: Verifier):
        self.verifier = verifier
        self.name, self.hash = "verifier", weights_hash(verifier.state_dict())

    @classmethod
    def load(cls, folder: str = "") -> VerifierJudge:
        """The shipped verifier, or that of a folder. Raises: InputError when there is none."""
        return cls(load_verifier(folder or None))

    def verdict_of(self, frame: np.ndarray, class_name: str, box_px: np.ndarray) -> InsertVerdict:
        """As :class:`~worldgen.generation.insert.insert_judge.BoxJudge` says; animals are not judged."""
        if class_name not in LAYOUT_CLASSES:
            return InsertVerdict(True, "not judged")
        share, fit, called = self.answers_of(frame, class_name, box_px)
        reason = reason_of(float(box_px[3] - box_px[1]), share, fit)
        return InsertVerdict(reason == FOUND, reason, share, fit, called)

    def answers_of(self, frame: np.ndarray, class_name: str, box_px: np.ndarray) -> tuple[float, float, str]:
        """Probability of its kind, estimated overlap of the box, and the likeliest class, of a box ``(4,)`` in a frame
        ``(H, W, 3)`` uint8. class_name: of ``LAYOUT_CLASSES``."""
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
        return share, fit, called


def reason_of(height_px: float, share: float, fit: float) -> str:
    """ "found", "not found" or "found elsewhere" for the answers on a box of a height in its picture."""
    least_kind, least_fit = LEAST["tall" if height_px >= TALL_PX else "small"]
    if share < least_kind:
        return "not found"
    return FOUND if fit >= least_fit else "found elsewhere"
