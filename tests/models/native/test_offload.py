"""Weights that wait elsewhere for their turn: offloaded pipelines make the same clips, to the bit."""

from __future__ import annotations

import accelerate
import numpy as np
import pytest
import torch
from accelerate.hooks import AlignDevicesHook, ModelHook, add_hook_to_module
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.models.build import noisy_weights
from tests.models.native.test_contracts import arguments, transformer
from tests.models.native.test_pipeline import FAST, request, some_clip
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.encoded_layout import LayoutMemo
from worldgen.models.native.pipeline import NETWORKS, WorldPipeline
from worldgen.models.native.rollout.repaint import restyle_clips
from worldgen.models.native.sizes import build_pipeline, build_transformer

CPU = torch.device("cpu")
GUIDED = SamplerOptions(steps=2, guidance={"layout": 2.0})


def pipeline() -> WorldPipeline:
    pipe = build_pipeline("tiny", words=["a pedestrian at night in heavy rain"])
    for name in NETWORKS:
        noisy_weights(getattr(pipe, name), 0.05)
    return pipe


def clips(pipe: WorldPipeline) -> list[np.ndarray]:
    """Of a free rollout with guidance, of one from a context, and of a restyled clip: all ways into the networks."""
    free = pipe([request(), request(1)], GUIDED)
    continued = pipe([request(context=some_clip(3), layout=None)], FAST)
    restyled = restyle_clips(pipe, [some_clip(5)], [request(2)], strength=0.5, options=FAST)
    return [clip.frames for clip in (*free, *continued, *restyled)]


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    return clips(pipeline())


def assert_equal(pipe: WorldPipeline, expected: list[np.ndarray]) -> None:
    for found, wanted in zip(clips(pipe), expected, strict=True):
        assert np.array_equal(found, wanted)


class Parked(ModelHook):
    """Holds all weights of a module back, on no device, except while its forward runs."""

    def __init__(self) -> None:
        self.calls = 0

    def init_hook(self, module: nn.Module) -> nn.Module:
        self.kept = {key: (store, key[1], store[key[1]]) for key, store in _stores(module)}
        return self._park(module)

    def _park(self, module: nn.Module) -> nn.Module:
        for store, name, tensor in self.kept.values():
            gone = torch.empty_like(tensor, device="meta")
            store[name] = nn.Parameter(gone, requires_grad=False) if isinstance(tensor, nn.Parameter) else gone
        return module

    def pre_forward(self, module: nn.Module, *args, **kwargs):
        self.calls += 1
        for store, name, tensor in self.kept.values():
            store[name] = tensor
        return args, kwargs

    def post_forward(self, module: nn.Module, output):
        self._park(module)
        return output


def _stores(module: nn.Module):
    for path, part in module.named_modules():
        for store in (part._parameters, part._buffers):
            for name, tensor in store.items():
                if tensor is not None:
                    yield (path, name), store


def test_weights_are_used_inside_forward_only(expected):
    """A whole network moves when its forward begins. What is used before or after would be on another device."""
    pipe, hooks = pipeline(), {}
    for name in NETWORKS:
        hooks[name] = Parked()
        hooks[name].execution_device = CPU
        add_hook_to_module(getattr(pipe, name), hooks[name])
    assert_equal(pipe, expected)
    assert all(hook.calls > 0 for hook in hooks.values())
    assert hooks["codec"].calls > hooks["text_encoder"].calls


def test_model_offload_moves_each_network_and_frees_all_at_the_end(expected, monkeypatch):
    pipe, moved = pipeline(), []
    pipe.enable_model_cpu_offload(device="cpu")
    first = pipe.codec._hf_hook
    real = type(first).pre_forward

    def counted(self, module, *args, **kwargs):
        moved.append(module)
        return real(self, module, *args, **kwargs)

    monkeypatch.setattr(type(first), "pre_forward", counted)
    assert_equal(pipe, expected)
    assert {id(module) for module in moved} == {id(getattr(pipe, name)) for name in NETWORKS}
    assert pipe.codec._hf_hook is not first, "hooks are set again after each clip, which empties the device"


def test_a_stream_that_is_left_early_frees_the_device(monkeypatch):
    pipe, freed = pipeline(), []
    monkeypatch.setattr(pipe, "maybe_free_model_hooks", lambda: freed.append(True))
    parts = pipe.stream([request()], FAST)
    next(parts)
    assert not freed
    parts.close()
    assert freed == [True]


def test_the_codec_stays_where_it_is_while_frames_take_turns():
    """In the chain of offloading, each frame would move the transformer away and back."""
    assert WorldPipeline.model_cpu_offload_seq == "text_encoder->transformer"


def test_sequential_offload(expected, monkeypatch):
    # accelerate takes "cpu:0", which diffusers asks for, as another device than "cpu".
    real = accelerate.cpu_offload
    monkeypatch.setattr(accelerate, "cpu_offload", lambda model, device, **options: real(model, CPU, **options))
    pipe = pipeline()
    pipe.enable_sequential_cpu_offload(device="cpu")
    assert {getattr(pipe, name).device.type for name in NETWORKS} == {"meta"}
    assert pipe._execution_device == CPU
    assert_equal(pipe, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_network_offloaded(name, expected):
    pipe = pipeline()
    accelerate.cpu_offload(getattr(pipe, name), CPU)
    assert pipe._execution_device == CPU
    assert_equal(pipe, expected)


@pytest.mark.parametrize(("kind", "blocks"), [("leaf_level", None), ("block_level", 1)])
def test_group_offload(kind, blocks, expected):
    pipe = pipeline()
    pipe.enable_group_offload(onload_device=CPU, offload_type=kind, num_blocks_per_group=blocks)
    assert_equal(pipe, expected)


@pytest.mark.parametrize("name", ["transformer", "codec"])
def test_dispatched_over_memory_and_disk(name, expected, tmp_path):
    pipe = pipeline()
    network = getattr(pipe, name)
    places = {child: "disk" if i % 2 else "cpu" for i, (child, _) in enumerate(network.named_children())}
    accelerate.dispatch_model(network, places, main_device=CPU, offload_dir=str(tmp_path), force_hooks=True)
    assert any(parameter.is_meta for parameter in network.parameters())
    assert_equal(pipe, expected)


def test_blocks_are_what_a_device_map_never_splits():
    network = build_transformer("tiny", blocks=2)
    places = accelerate.infer_auto_device_map(
        network, max_memory={"cpu": 400_000, "disk": 10**9}, no_split_module_classes=network._no_split_modules
    )
    assert len(set(map(str, places.values()))) == 2
    whole = {path for path, part in network.named_modules() if type(part).__name__ in network._no_split_modules}
    assert not [path for path in places if any(path.startswith(f"{block}.") for block in whole)]


def test_parts_on_two_devices_meet_where_the_latents_are():
    """Fake tensors have devices but no values: an operation on tensors of two devices fails as on real ones."""
    with FakeTensorMode():
        network, given = build_transformer("tiny", blocks=2, detail_blocks=2), arguments()
        add_hook_to_module(network, AlignDevicesHook("cpu", io_same_device=True))
        units = [
            unit
            for child in network.children()
            for unit in (child.children() if isinstance(child, nn.ModuleList) else (child,))
        ]
        for number, unit in enumerate(units):
            place = ("meta", "cpu")[number % 2]  # two kinds of device that every build of PyTorch has
            for (_, name), store in list(_stores(unit)):
                store[name] = nn.Parameter(store[name].detach().to(place), requires_grad=False)
            add_hook_to_module(unit, AlignDevicesHook(place))
        cache, memo = network.new_cache(), LayoutMemo()
        network.append_to_cache(*given, cache=cache, layout=memo)
        assert {pair[0].device.type for pair in cache._pairs} == {"meta", "cpu"}
        assert memo.encoded.features.device == CPU
        assert network(*given, cache=cache, layout=memo).device == CPU


@torch.no_grad()
def test_a_layout_is_encoded_once_for_all_calls_of_a_chunk(monkeypatch):
    network, given, calls = transformer(), arguments(), []
    plain = network(*given)
    real = network.encode_layout
    monkeypatch.setattr(network, "encode_layout", lambda *a: calls.append(1) or real(*a))
    memo = LayoutMemo()
    assert torch.equal(network(*given, layout=memo), plain) and torch.equal(network(*given, layout=memo), plain)
    network.append_to_cache(*given, cache=network.new_cache(), layout=memo)
    assert len(calls) == 1
    network(*given)
    assert len(calls) == 2
