"""Clips to feature vectors: the rule that picks frames, the extractors, and sets of features that can be saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.data.video.pixel_conversion import DECODER
from worldgen.evaluation.distances import i3d
from worldgen.evaluation.distances.resize import MODES, SIDE_PX, to_network
from worldgen.files.json_files import parse_object
from worldgen.models.devices import usable_device

EXTRACTORS = ("fd-worldgen", "i3d", "videomae", "dinov2")
FEATURES_VERSION = 1


@dataclass(frozen=True)
class FrameRule:
    """Which frames of a clip count.

    frames: their number, 0 for all. fps: their rate, met by taking the nearest frames; 0 for the clip's own. skip_s:
    seconds at the start that are left out, such as the context frames of a model. position: where in the rest the
    frames are taken, "start", "centre" or "end".
    """

    frames: int = 16
    fps: float = 0.0
    skip_s: float = 0.0
    position: str = "start"

    def __post_init__(self) -> None:
        if self.frames < 0 or self.fps < 0 or self.skip_s < 0:
            raise InputError("frames, fps and skipped seconds", (self.frames, self.fps, self.skip_s), "none below 0")
        if self.position not in ("start", "centre", "end"):
            raise InputError("position of the frames", self.position, "start, centre or end")

    def take(self, clip: Clip, name: str = "clip") -> Clip:
        """The frames that count. Raises: InputError when the clip is too short or too slow for the rule."""
        fps = self.fps or clip.fps
        if fps > clip.fps * 1.001:
            raise InputError(
                f"frames per second of {name}", clip.fps, f"at least {fps:g}; frames are never interpolated"
            )
        first = self.skip_s * clip.fps
        count = int((len(clip) - 1 - first + 0.5) * fps / clip.fps) + 1 if first < len(clip) else 0
        index = np.rint(first + np.arange(max(count, 0)) * clip.fps / fps - 1e-9).astype(int)
        index = index[index < len(clip)]
        wanted = self.frames or len(index)
        if len(index) < wanted or not wanted:
            raise InputError(
                f"frames of {name}",
                Received(f"{len(index)} at {fps:g} fps after the first {self.skip_s:g} s"),
                f"at least {wanted or 1}",
            )
        start = {"start": 0, "centre": (len(index) - wanted) // 2, "end": len(index) - wanted}[self.position]
        return Clip(clip.frames[index[start : start + wanted]], fps)


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network that turns clips into vectors.

    name: one of ``EXTRACTORS``. hash: of its weights. size: D. resize: mode of ``resize.MODES``. frames: the least and
    the most frames that it takes at once, most 0 for any. side: width and height of its pictures. network: ``(B, 3, T,
    h, w)`` in [-1, 1] to ``(B, D)``.
    """

    name: str
    hash: str
    size: int
    resize: str
    frames: tuple[int, int]
    side: tuple[int, int]
    network: Callable[[torch.Tensor], torch.Tensor] = field(repr=False)
    device: str = "cpu"

    @torch.inference_mode()
    def __call__(self, clips: list[Clip]) -> np.ndarray:
        """Features ``(N, D)`` float64 of clips of equal length."""
        video = torch.stack([to_network(clip.frames, self.resize, self.side) for clip in clips]).to(self.device)
        frames = video.shape[2]
        least, most = self.frames
        if frames < least or (most and self.name != "fd-worldgen" and frames > most):
            raise InputError(f"frames for {self.name}", frames, f"{least} to {most}" if most else f"at least {least}")
        if self.name == "fd-worldgen" and frames > most:
            windows = [video[:, :, s : s + most] for s in _starts(frames, most)]
            features = torch.stack([self.network(w) for w in windows]).mean(0)
        else:
            features = self.network(video)
        return features.double().cpu().numpy()


def _starts(frames: int, window: int) -> list[int]:
    """Starts of the fewest windows that cover all frames, evenly spread."""
    count = -(-frames // window)
    return [round(i * (frames - window) / (count - 1)) for i in range(count)]


def load_extractor(name: str, *, weights: str = "", resize: str = "", device: str = "cpu") -> Extractor:
    """An extractor by name. weights: file or folder, needed by all but fd-worldgen, which ships. resize: by default
    area for fd-worldgen and squash for the others.

    Raises: InputError when the weights are missing or belong to another network; no extractor replaces another.
    """
    if name not in EXTRACTORS:
        raise InputError("extractor", name, "one of " + ", ".join(EXTRACTORS))
    if resize and resize not in MODES:
        raise InputError("resize mode", resize, "one of " + ", ".join(MODES))
    if name == "fd-worldgen":
        return _small(weights, resize or "area", device)
    if name == "i3d":
        network, digest = i3d.load_i3d(weights)
        if isinstance(network, torch.nn.Module):
            network = network.to(usable_device(device))
        elif device != "cpu":
            raise InputError("device of the TorchScript I3D", device, "cpu, or the weights as .safetensors")
        side = (SIDE_PX, SIDE_PX)
        return Extractor(name, digest, i3d.NUM_CLASSES, resize or "squash", (i3d.MIN_FRAMES, 0), side, network, device)
    if not weights:
        raise InputError(
            f"weights of {name}", Received("none"), "weights (--weights FOLDER), as save_pretrained writes them"
        )
    from worldgen.evaluation.distances.frame_features import FrameFeatures

    module = FrameFeatures(name, weights).to(usable_device(device))
    frames = (module.frames, module.frames) if module.frames else (1, 0)
    return Extractor(name, module.hash, module.size, resize or "squash", frames, (module.side_px,) * 2, module, device)


def _small(weights: str, resize: str, device: str) -> Extractor:
    from worldgen.evaluation.distances.selfsupervised import load_encoder
    from worldgen.models.weights import weights_hash

    encoder = load_encoder(weights or None).to(usable_device(device))
    config = encoder.config
    return Extractor(
        "fd-worldgen", weights_hash(encoder.state_dict()), config.features, resize, (config.frames, config.frames),
        (config.width_px, config.height_px), encoder, device,
    )  # fmt: skip


@dataclass(eq=False)
class FeatureSet:
    """Features of a set of clips, with the key, drive and tags of each.

    features: ``(N, D)`` float64. keys, drives, tags: one entry per clip. made_by: extractor and frame rule, as JSON,
    which two sets must share to be compared.
    """

    features: np.ndarray
    keys: list[str]
    drives: list[str]
    tags: list[tuple[str, ...]]
    made_by: dict

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, index: np.ndarray | list[int]) -> FeatureSet:
        """Some of the clips."""
        picked = [int(i) for i in index]
        return FeatureSet(
            self.features[picked],
            [self.keys[i] for i in picked],
            [self.drives[i] for i in picked],
            [self.tags[i] for i in picked],
            self.made_by,
        )

    def tagged(self, tag: str) -> FeatureSet:
        """The clips that have a tag."""
        return self.rows([i for i, tags in enumerate(self.tags) if tag in tags])

    def save(self, path: str | Path) -> None:
        """Write a ``.safetensors`` file, atomically."""
        from safetensors.numpy import save

        from worldgen.files.storage import write_bytes

        facts = {"keys": self.keys, "drives": self.drives, "tags": self.tags, "made_by": self.made_by}
        metadata = {"worldgen_features": str(FEATURES_VERSION), "facts": json.dumps(facts)}
        write_bytes(str(path), save({"features": np.ascontiguousarray(self.features)}, metadata))

    @classmethod
    def load(cls, path: str | Path) -> FeatureSet:
        """Read what :meth:`save` wrote. Raises: InputError for any other file."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "numpy") as file:
                metadata, features = file.metadata() or {}, file.get_tensor("features")
            facts = parse_object(metadata["facts"], f"features {path}")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(f"features {path}", Received(str(error)), "a file that worldgen wrote") from error
        expected = {"keys": list, "drives": list, "tags": list, "made_by": dict}
        wrong = [name for name, kind in expected.items() if not isinstance(facts.get(name), kind)]
        if wrong or features.ndim != 2 or any(len(facts[name]) != len(features) for name in ("keys", "drives", "tags")):
            raise InputError(f"features {path}", Received("facts that do not fit"), "a file that worldgen wrote")
        return cls(features, facts["keys"], facts["drives"], [tuple(t) for t in facts["tags"]], facts["made_by"])


@dataclass(frozen=True, eq=False)
class ClipItem:
    """A clip on its way to an extractor."""

    clip: Clip
    key: str
    drive: str = ""
    tags: tuple[str, ...] = ()


def extract(items: Iterable[ClipItem], extractor: Extractor, rule: FrameRule, *, batch: int = 4) -> FeatureSet:
    """Features of any iterable of clips; one batch of clips is in memory at a time.

    Raises InputError when there is none, or when rates differ and the rule names none: a clip at another rate moves
    differently, and the distance would measure that.
    """
    parts, facts, rates, sizes = [], [], set(), set()
    for chunk in _batches(items, batch):
        clips = [rule.take(item.clip, item.key) for item in chunk]
        rates |= {round(clip.fps, 3) for clip in clips}
        sizes |= {f"{item.clip.width_px}x{item.clip.height_px}" for item in chunk}
        if len(rates) > 1:
            raise InputError(
                "frames per second of the clips", sorted(rates), "one rate, or fps (--fps) to bring them to one"
            )
        for length in sorted({len(clip) for clip in clips}):
            same = [i for i, clip in enumerate(clips) if len(clip) == length]
            parts.append(extractor([clips[i] for i in same]))
            facts += [chunk[i] for i in same]
    if not facts:
        raise InputError("clips", Received("none"), "at least one")
    made_by = {
        "extractor": extractor.name, "extractor_hash": extractor.hash, "feature_size": extractor.size,
        "resize": extractor.resize, "input_px": list(extractor.side), "rule": asdict(rule), "fps": rates.pop(),
        "source_px": sorted(sizes), "decoder": DECODER,
    }  # fmt: skip
    return FeatureSet(
        np.concatenate(parts), [i.key for i in facts], [i.drive for i in facts], [i.tags for i in facts], made_by
    )


def _batches(items: Iterable[ClipItem], size: int) -> Iterator[list[ClipItem]]:
    chunk: list[ClipItem] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def join(sets: list[FeatureSet]) -> FeatureSet:
    """Several sets as one. Raises: InputError when extractor, frames or rate differ."""
    first = sets[0]
    for other in sets[1:]:
        differing = [k for k, v in first.made_by.items() if k not in ("source_px", "decoder") and other.made_by[k] != v]
        if differing:
            name = differing[0]
            raise InputError(
                f"{name} of sets to join", Received(f"{first.made_by[name]} and {other.made_by[name]}"), "the same"
            )
    sizes = sorted({size for each in sets for size in each.made_by["source_px"]})
    return FeatureSet(
        np.concatenate([each.features for each in sets]), [key for each in sets for key in each.keys],
        [drive for each in sets for drive in each.drives], [tags for each in sets for tags in each.tags],
        first.made_by | {"source_px": sizes},
    )  # fmt: skip
