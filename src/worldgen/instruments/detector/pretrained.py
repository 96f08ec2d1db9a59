"""Public transformer detectors (D-FINE, RT-DETRv2) behind the two calls that a gain study needs: a loss, and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from worldgen.core.english import with_article
from worldgen.core.errors import InputError
from worldgen.instruments.detector.detector import FoundBoxes
from worldgen.models.weights import refuse_pickles

FAMILIES = ("dfine", "rtdetr")


@dataclass(frozen=True)
class DetectorSizes:
    """Sizes of a detector with random weights; the defaults are small enough for a laptop."""

    width: int = 64
    queries: int = 60
    decoder_layers: int = 2
    stem: int = 16


class TransformerDetector(nn.Module):
    """A detector of the transformers library whose classes are the groups of worldgen.

    Source: Peng et al., "D-FINE: Redefine Regression Task of DETRs" (2024); Lv et al., "RT-DETRv2" (2024).
    """

    def __init__(self, family: str, groups: Sequence[str], *, checkpoint: str = "", sizes: DetectorSizes | None = None):
        """checkpoint: folder of safetensors weights to start from, whose classes are replaced; "" for random weights.

        Raises: InputError for an unknown family, and for a folder that holds no such model.
        """
        super().__init__()
        if family not in FAMILIES:
            raise InputError("family of detector", family, "one of " + ", ".join(FAMILIES))
        names = dict(enumerate(groups))
        self.network = _loaded(family, checkpoint, names) if checkpoint else _fresh(family, names, sizes)

    def loss(self, pictures: Tensor, boxes: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> Tensor:
        """The training loss of the model, a scalar.

        pictures: ``(B, 3, H, W)`` in [-1, 1]. boxes: of each picture ``(n, 4)`` x0 y0 x1 y1 in pixels. groups: of each
        picture ``(n,)``.
        """
        height, width = pictures.shape[2:]
        scale = torch.tensor([width, height, width, height], dtype=torch.float32)
        labels = []
        for box, group in zip(boxes, groups, strict=True):
            corners = torch.as_tensor(box, dtype=torch.float32).reshape(-1, 4) / scale
            centre, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
            labels.append({
                "class_labels": torch.as_tensor(group, dtype=torch.int64).to(pictures.device),
                "boxes": torch.cat([centre, size], 1).to(pictures.device),
            })  # fmt: skip
        return self.network(pixel_values=(pictures + 1) / 2, labels=labels).loss

    @torch.inference_mode()
    def find(self, pictures: Tensor, *, size: tuple[int, int], threshold: float = 0.05) -> list[FoundBoxes]:
        """The objects in each picture, with boxes cut to ``size`` (width, height). Each query is one object of the
        group that scores highest."""
        out = self.network(pixel_values=(pictures + 1) / 2)
        height, width = pictures.shape[2:]
        score, group = out.logits.sigmoid().max(-1)  # (B, Q)
        centre, extent = out.pred_boxes[..., :2], out.pred_boxes[..., 2:]
        box = torch.cat([centre - extent / 2, centre + extent / 2], -1) * torch.tensor([width, height] * 2)
        box = torch.minimum(box.clamp(min=0), torch.tensor([*size, *size], dtype=box.dtype))
        found = []
        for g, b, s in zip(group, box, score, strict=True):
            order = s.argsort(descending=True)
            order = order[s[order] >= threshold]
            found.append(FoundBoxes(g[order].cpu().numpy(), b[order].cpu().numpy(), s[order].cpu().numpy()))
        return found


def _loaded(family: str, checkpoint: str, names: dict[int, str]) -> nn.Module:
    from pathlib import Path

    from transformers import DFineForObjectDetection, RTDetrV2ForObjectDetection

    refuse_pickles(Path(checkpoint))
    cls = DFineForObjectDetection if family == "dfine" else RTDetrV2ForObjectDetection
    try:
        return cls.from_pretrained(
            checkpoint, id2label=names, label2id={name: number for number, name in names.items()},
            ignore_mismatched_sizes=True, local_files_only=True, use_safetensors=True,
        )  # fmt: skip
    except OSError as error:
        raise InputError(
            "checkpoint of the detector", checkpoint, f"a folder with {with_article(cls.__name__)}"
        ) from error


def _fresh(family: str, names: dict[int, str], sizes: DetectorSizes | None) -> nn.Module:
    """A small model of the library's own class with random weights."""
    from transformers import DFineConfig, DFineForObjectDetection, RTDetrV2Config, RTDetrV2ForObjectDetection
    from transformers.models.hgnet_v2 import HGNetV2Config
    from transformers.models.rt_detr import RTDetrResNetConfig

    s = sizes or DetectorSizes()
    common: dict[str, Any] = {
        "id2label": names, "label2id": {name: number for number, name in names.items()}, "d_model": s.width,
        "encoder_hidden_dim": s.width, "encoder_ffn_dim": 2 * s.width, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "decoder_ffn_dim": 2 * s.width, "decoder_layers": s.decoder_layers,
        "num_queries": s.queries, "num_denoising": 20, "decoder_in_channels": [s.width] * 3,
        "encoder_in_channels": [4 * s.stem, 8 * s.stem, 16 * s.stem], "feat_strides": [8, 16, 32],
    }  # fmt: skip
    used: dict[str, Any] = {"out_features": ["stage2", "stage3", "stage4"]}  # not in the signatures
    widths = [2 * s.stem, 4 * s.stem, 8 * s.stem, 16 * s.stem]
    if family == "dfine":
        backbone = HGNetV2Config(
            num_channels=3, embedding_size=s.stem, hidden_sizes=widths, depths=[1, 1, 1, 1],
            stem_channels=[3, s.stem, s.stem], stage_in_channels=[s.stem, *widths[:3]],
            stage_mid_channels=[s.stem, s.stem, 2 * s.stem, 2 * s.stem], stage_out_channels=widths,
            stage_num_blocks=[1, 1, 1, 1], stage_numb_of_layers=[2, 2, 2, 2],
            stage_downsample=[False, True, True, True], stage_light_block=[False, False, True, True],
            stage_kernel_size=[3, 3, 3, 3], use_learnable_affine_block=False, **used,
        )  # fmt: skip
        return DFineForObjectDetection(DFineConfig(backbone_config=backbone, **common))
    resnet = RTDetrResNetConfig(
        embedding_size=widths[0], hidden_sizes=widths, depths=[1, 1, 1, 1], layer_type="basic",
        **used,
    )  # fmt: skip
    return RTDetrV2ForObjectDetection(RTDetrV2Config(backbone_config=resnet, **common))
