"""Several adapters of one transformer, and DoRA: what they compute against weights changed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from tests.models.native.test_contracts import arguments, transformer
from worldgen.core.errors import InputError
from worldgen.models.native.adapters import (
    adapter_names,
    adapters_off,
    attach_lora,
    check_targets,
    load_adapter,
    save_adapter,
)
from worldgen.models.native.blocks import PictureStem, added_light
from worldgen.models.native.transformer import WorldTransformer

TARGETS = ("picture_stem", "to_q", "to_v", "merge", "mlp.0", "head")
RANK, ALPHA = 2, 3.0
CLOSE = {"atol": 1e-4, "rtol": 1e-4}  # of outputs up to 20: the same sums in another order


def adapted(seed: int, **options) -> WorldTransformer:
    """With an adapter whose tensors are random, as after training."""
    model, generator = transformer(), torch.Generator().manual_seed(seed)
    targets = check_targets(model, TARGETS)
    model.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, **options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                noise = 0.3 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(parameter + noise if "magnitude" in name else noise)
    return model.eval()


def saved(folder: Path, seed: int, **options) -> Path:
    folder.mkdir()
    save_adapter(adapted(seed, **options), folder)
    return folder


def changed_by_hand(scales: dict[int, float]) -> WorldTransformer:
    """A transformer whose weights are W + sum of scale * alpha / rank * B A over the adapters of these seeds."""
    model = transformer()
    layers = dict(model.named_modules())
    with torch.no_grad():
        for seed, scale in scales.items():
            tensors = adapted(seed).state_dict()
            for name in [key.removesuffix(".lora_A.default.weight") for key in tensors if ".lora_A." in key]:
                down, up = (tensors[f"{name}.lora_{half}.default.weight"] for half in "AB")
                change = scale * ALPHA / RANK * up.flatten(1) @ down.flatten(1)
                layers[name].weight.add_(change.reshape(layers[name].weight.shape))
    return model


@pytest.fixture
def two(tmp_path):
    return saved(tmp_path / "one", 1), saved(tmp_path / "two", 2)


@torch.no_grad()
def test_effects_of_two_adapters_add_up_with_their_scales(two):
    model, given = transformer(), arguments()
    assert load_adapter(model, two[0], scale=0.5, name="night") == "night"
    torch.testing.assert_close(model(*given), changed_by_hand({1: 0.5})(*given), **CLOSE)
    assert load_adapter(model, two[1], name="rain") == "rain"
    assert adapter_names(model) == ["night", "rain"] == model.active_adapters()
    torch.testing.assert_close(model(*given), changed_by_hand({1: 0.5, 2: 1.0})(*given), **CLOSE)
    model.set_adapters(["night", "rain"], [0.0, 2.0])
    torch.testing.assert_close(model(*given), changed_by_hand({2: 2.0})(*given), **CLOSE)
    model.set_adapters("night")
    torch.testing.assert_close(model(*given), changed_by_hand({1: 1.0})(*given), **CLOSE)


@torch.no_grad()
def test_off_deleted_merged_and_unloaded(two):
    model, given, plain = transformer(), arguments(), transformer()(*arguments())
    for folder in two:
        load_adapter(model, folder)
    both = model(*given)
    with adapters_off(model):
        torch.testing.assert_close(model(*given), plain, **CLOSE)
    assert torch.equal(model(*given), both)
    model.fuse_lora()
    torch.testing.assert_close(model(*given), both, **CLOSE)
    model.unfuse_lora()
    torch.testing.assert_close(model(*given), both, **CLOSE)
    model.delete_adapters(adapter_names(model)[1])
    torch.testing.assert_close(model(*given), changed_by_hand({1: 1.0})(*given), **CLOSE)
    model.unload_lora()
    torch.testing.assert_close(model(*given), plain, **CLOSE)
    assert type(model.picture_stem) is PictureStem and not [n for n in model.state_dict() if "lora" in n]


@torch.no_grad()
def test_merged_for_good(two):
    model, given = transformer(), arguments()
    load_adapter(model, two[0])
    expected = model(*given)
    model.fuse_lora()
    model.unload_lora()
    torch.testing.assert_close(model(*given), expected, **CLOSE)
    assert type(model.picture_stem) is PictureStem
    with pytest.raises(InputError, match="trained on weights"):  # its weights are others now
        load_adapter(model, two[1])


@torch.no_grad()
@pytest.mark.parametrize("name", ["first", "second", ""])
def test_one_of_several_is_saved_by_name(two, tmp_path, name):
    model, given = transformer(), arguments()
    load_adapter(model, two[0], name="first")
    load_adapter(model, two[1], name="second")
    (tmp_path / "again").mkdir()
    if not name:
        with pytest.raises(InputError, match="expected one of first, second"):
            save_adapter(model, tmp_path / "again")
        return
    save_adapter(model, tmp_path / "again", name=name)
    alone, expected = transformer(), transformer()
    load_adapter(alone, tmp_path / "again")
    load_adapter(expected, two[name == "second"])
    assert torch.equal(alone(*given), expected(*given))


def test_a_loaded_adapter_is_saved_whatever_its_name(two, tmp_path):
    model = transformer()
    load_adapter(model, two[0])
    (tmp_path / "again").mkdir()
    save_adapter(model, tmp_path / "again")
    with pytest.raises(InputError, match="expected a model with an adapter"):
        save_adapter(transformer(), tmp_path / "again")


def test_what_cannot_be_stacked_is_said(two):
    model = transformer()
    load_adapter(model, two[0], name="night")
    with pytest.raises(InputError, match="a name that is free, other than night"):
        load_adapter(model, two[1], name="night")
    with pytest.raises(InputError, match=r"adapters of the transformer: received \['night'\]; expected none: merge"):
        attach_lora(model, ["to_q"], rank=2, alpha=2.0)


@torch.no_grad()
def test_an_adapter_of_offloaded_weights_is_refused(two):
    from accelerate import cpu_offload

    model = cpu_offload(transformer(), torch.device("cpu"))
    with pytest.raises(InputError, match="load adapters before offloading"):
        load_adapter(model, two[0])


@torch.no_grad()
def test_adapters_then_offload(two):
    from accelerate import cpu_offload

    model, given = transformer(), arguments()
    load_adapter(model, two[0])
    expected = model(*given)
    assert torch.equal(cpu_offload(model, torch.device("cpu"))(*given), expected)


@torch.no_grad()
def test_dora_round_trip_and_merge(tmp_path):
    given, plain = arguments(), transformer()(*arguments())
    model = adapted(3, use_dora=True)
    expected = model(*given)
    assert (expected - plain).abs().max() > 0.1
    again = transformer()
    load_adapter(again, saved(tmp_path / "dora", 3, use_dora=True))
    assert torch.equal(again(*given), expected)
    with adapters_off(again):
        torch.testing.assert_close(again(*given), plain, **CLOSE)
    again.fuse_lora()
    torch.testing.assert_close(again(*given), expected, **CLOSE)
    again.unload_lora()
    torch.testing.assert_close(again(*given), expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"use_dora": True}, {"lora_bias": True}])
def test_added_light_has_no_offset_whatever_adapts_its_map(options):
    """DoRA subtracts the bias of the layer it adapts, also where that was not added; other adapters add one."""
    stem, cells = (
        adapted(4, **options).picture_stem,
        torch.rand(3, 2, 2, 192, generator=torch.Generator().manual_seed(0)),
    )
    assert not isinstance(stem, PictureStem)
    light = added_light(stem, cells)
    torch.testing.assert_close(added_light(stem, 2 * cells), 2 * light, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(stem(cells) - stem(torch.zeros(192)), light, atol=1e-6, rtol=1e-6)
    assert light.abs().max() > 0.1


def test_dora_has_no_scale_and_stands_alone(two, tmp_path):
    dora = saved(tmp_path / "dora", 3, use_dora=True)
    with pytest.raises(InputError, match=r"scale of adapter .*received 0.5; expected 1: the magnitudes of DoRA"):
        load_adapter(transformer(), dora, scale=0.5)
    for first, second, words in ((two[0], dora, "DoRA .* beside default_0"), (dora, two[0], "beside DoRA")):
        model = transformer()
        load_adapter(model, first)
        with pytest.raises(InputError, match=words):
            load_adapter(model, second)
        assert adapter_names(model) == ["default_0"]


@pytest.mark.filterwarnings("ignore:Adapter 'default'")  # peft takes an offset of one dimension for a shard
@pytest.mark.parametrize(("end", "size"), [(".lora_magnitude_vector", 5), (".lora_B.bias", 5)])
def test_magnitudes_and_offsets_of_another_size_are_refused(tmp_path, end, size):
    from safetensors import safe_open
    from safetensors.torch import save_file

    options = {"use_dora": True} if "magnitude" in end else {"lora_bias": True}
    folder = saved(tmp_path / "adapter", 5, **options)
    path = folder / "pytorch_lora_weights.safetensors"
    with safe_open(path, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    load_adapter(transformer(), folder)
    name = next(key for key in tensors if key.endswith(end))
    save_file({**tensors, name: torch.ones(size)}, path, metadata)
    with pytest.raises(InputError, match=f"{name} with size {size} instead of"):
        load_adapter(transformer(), folder)
    save_file({**tensors, "nowhere" + end: torch.ones(size)}, path, metadata)
    with pytest.raises(InputError, match=f"1 tensors without a place .nowhere{end}"):
        load_adapter(transformer(), folder)
