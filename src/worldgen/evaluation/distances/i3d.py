"""I3D, the network behind the Fréchet video distance: Inception-v1 inflated to video, Kinetics-400, RGB.

Source: Carreira and Zisserman, "Quo Vadis, Action Recognition?" (2017), figure 3. Tensor names are those of the
PyTorch ports that published FVD numbers use (``Mixed_3b.b1a.conv3d.weight``), so their state dicts load by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from worldgen.core.errors import InputError, Received

NUM_CLASSES = 400
NUM_PARAMETERS = 12_697_264
"""Number of parameters, with scale and shift of batch normalisation and the 400-class layer; a test counts them."""
MIN_FRAMES = 9
"""Three halvings of time, rounded up, must leave the two steps that the last pooling needs."""
PORT_EPSILON = 1e-5
"""Added to variances by the ports that published FVD numbers use; the first PyTorch port has 1e-3."""

TORCHSCRIPT_SHA256 = "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2"
"""``i3d_torchscript.pt`` of StyleGAN-V's FVD, 51,235,320 bytes. TorchScript can run code, so only this file is
opened."""
WHERE = (
    "i3d_torchscript.pt of https://github.com/universome/fvd-comparison, "
    "or a Kinetics-400 state dict as .safetensors (docs/guides/distances.md)"
)

MIXED: dict[str, tuple[int, tuple[int, int, int, int, int, int]]] = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
"""Block -> channels in, and of its six convolutions b0, b1a, b1b, b2a, b2b, b3b (Szegedy et al. 2014, table 1)."""
POOLS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
STAGES = (
    "Conv3d_1a_7x7", "MaxPool3d_2a_3x3", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "MaxPool3d_3a_3x3", "Mixed_3b", "Mixed_3c",
    "MaxPool3d_4a_3x3", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "MaxPool3d_5a_2x2", "Mixed_5b",
    "Mixed_5c",
)  # fmt: skip
"""The stages in the order in which they are applied."""


def same_padding(size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]) -> list[int]:
    """Padding of TensorFlow's SAME mode, for ``torch.nn.functional.pad``: the output has ceil(size / stride) elements,
    and an odd one is added at the end. Sizes are (time, height, width); the pairs returned go from width to time."""
    pads: list[int] = []
    for extent, k, s in zip(size, kernel, stride, strict=True):
        total = max((-(-extent // s) - 1) * s + k - extent, 0)
        pads = [total // 2, total - total // 2, *pads]
    return pads


class Unit3D(nn.Module):
    """Convolution with SAME padding, batch norm and ReLU; the last layer (epsilon None) has a bias instead of the
    two."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int] = (1, 1, 1), *,
                 stride: tuple[int, int, int] = (1, 1, 1), epsilon: float | None = PORT_EPSILON):  # fmt: skip
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=epsilon is None)
        self.bn = None if epsilon is None else nn.BatchNorm3d(outputs, eps=epsilon, momentum=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features ``(B, C', T', H', W')`` of ``(B, C, T, H, W)``."""
        x = self.conv3d(F.pad(x, same_padding(tuple(x.shape[2:]), self.conv3d.kernel_size, self.conv3d.stride)))
        return x if self.bn is None else F.relu(self.bn(x))


class SamePool(nn.Module):
    """Maximum pooling with SAME padding. Its inputs are never negative, so padding with zeros does not change the
    maximum."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features ``(B, C, T', H', W')`` of ``(B, C, T, H, W)``."""
        return F.max_pool3d(
            F.pad(x, same_padding(tuple(x.shape[2:]), self.kernel, self.stride)), self.kernel, self.stride
        )


class Mixed(nn.Module):
    """An Inception block of four parallel branches."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int, int, int], epsilon: float):
        super().__init__()
        c0, c1a, c1b, c2a, c2b, c3b = widths
        self.b0 = Unit3D(inputs, c0, epsilon=epsilon)
        self.b1a = Unit3D(inputs, c1a, epsilon=epsilon)
        self.b1b = Unit3D(c1a, c1b, (3, 3, 3), epsilon=epsilon)
        self.b2a = Unit3D(inputs, c2a, epsilon=epsilon)
        self.b2b = Unit3D(c2a, c2b, (3, 3, 3), epsilon=epsilon)
        self.b3a = SamePool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(inputs, c3b, epsilon=epsilon)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features ``(B, C', T, H, W)`` of ``(B, C, T, H, W)``."""
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], 1)


class I3D(nn.Module):
    """The whole network: video to 400 logits averaged over time."""

    def __init__(self, *, epsilon: float = PORT_EPSILON):
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3D(3, 64, (7, 7, 7), stride=(2, 2, 2), epsilon=epsilon)
        self.Conv3d_2b_1x1 = Unit3D(64, 64, epsilon=epsilon)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, (3, 3, 3), epsilon=epsilon)
        for name, (kernel, stride) in POOLS.items():
            self.add_module(name, SamePool(kernel, stride))
        for name, (inputs, widths) in MIXED.items():
            self.add_module(name, Mixed(inputs, widths, epsilon))
        self.logits = Unit3D(1024, NUM_CLASSES, epsilon=None)

    def stages(self, video: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and output of each stage, for ``(B, 3, T, H, W)`` in [-1, 1]."""
        x = video
        for name in STAGES:
            x = getattr(self, name)(x)
            yield name, x

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """``(B, 3, T, 224, 224)`` in [-1, 1], T >= 9, to ``(B, 400)``."""
        x = video
        for name in STAGES:
            x = getattr(self, name)(x)
        x = self.logits(F.avg_pool3d(x, (2, 7, 7), stride=1))  # (B, 400, T/8 - 1, 1, 1)
        return x.mean((2, 3, 4))


def load_i3d(path: str | Path) -> tuple[Callable[[torch.Tensor], torch.Tensor], str]:
    """The network with weights from a file, and the file's SHA-256.

    path: the one known TorchScript file (by its hash), or a ``.safetensors`` state dict with exactly this network's
    tensors; its metadata may give ``bn_epsilon``. Raises InputError when the file is absent, another TorchScript file,
    a pickle, or has missing, extra or misshapen tensors. No other weights are used in their place.
    """
    if not str(path):
        raise InputError("weights of i3d", Received("none"), f"weights (--weights FILE): {WHERE}")
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError("weights of i3d", str(path), f"an existing file: {WHERE}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix == ".safetensors":
        return _from_tensors(path), digest
    if digest != TORCHSCRIPT_SHA256:
        raise InputError(
            f"weights of i3d {path}", Received(f"SHA-256 {digest}"),
            f"{TORCHSCRIPT_SHA256} (TorchScript and pickles run code, so no other is opened), or .safetensors "
            "(docs/guides/distances.md)",
        )  # fmt: skip
    script = torch.jit.load(str(path), map_location="cpu").eval()

    def logits(video: torch.Tensor) -> torch.Tensor:
        return script(video, rescale=False, resize=False, return_features=True)

    return logits, digest


def _from_tensors(path: Path) -> I3D:
    from safetensors import SafetensorError, safe_open

    from worldgen.models.weights import account

    try:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        epsilon = float(metadata.get("bn_epsilon", PORT_EPSILON))
    except (SafetensorError, ValueError) as error:
        raise InputError(f"weights of i3d {path}", Received(str(error)), "a whole .safetensors file") from error
    network = I3D(epsilon=epsilon)
    # Counters of training batches say nothing about the network, and some ports leave them out.
    wanted = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    given = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    account(f"i3d in {path}", wanted, given)
    network.load_state_dict(given, strict=False)
    return network.float().eval()
