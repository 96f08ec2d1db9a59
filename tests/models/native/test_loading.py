"""Saved pipelines from outside: nothing of theirs runs, and what does not fit is one line."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import yaml
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from worldgen.core.errors import InputError
from worldgen.models.devices import usable_device
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.pipeline import CODE, NETWORKS
from worldgen.models.native.sizes import build_pipeline
from worldgen.models.weights import read_tensors, variant_of


@pytest.fixture
def folder(tmp_path):
    build_pipeline("tiny", words=["a car at night"]).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change(path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_code_in_the_folder_never_runs(folder, tmp_path, monkeypatch):
    """Some versions of diffusers import the module that model_index.json names from the folder itself."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    code = f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\n"
    for place in (folder, folder / "transformer"):
        (place / "evil.py").write_text(code)
    change(folder / "model_index.json", transformer=["evil", "WorldTransformer"])
    with pytest.raises(InputError, match=r"module of transformer in .*received 'evil'"):
        load_pipeline(folder)
    assert not (tmp_path / "ran").exists()
    change(folder / "model_index.json", transformer=["worldgen.models.elsewhere", "WorldTransformer"])
    load_pipeline(folder)  # a folder of an earlier version, where the class stood elsewhere
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"null", b"[]", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff"])
@pytest.mark.parametrize("part", ["transformer", "codec", "text_encoder"])
def test_a_config_of_another_kind_is_refused(folder, part, content):
    (folder / part / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=f"config of {part}"):
        load_pipeline(folder)


@pytest.mark.parametrize(
    ("part", "values"),
    [("transformer", {"width": "x"}), ("codec", {"latent_channels": None}), ("text_encoder", {"dim": "x"}),
     ("text_encoder", {"architectures": 3}), ("transformer", {"_class_name": {}})],
)  # fmt: skip
def test_values_of_wrong_types_are_refused(folder, part, values):
    change(folder / part / "config.json", **values)
    with pytest.raises(InputError) as error:
        load_pipeline(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("transformer", {"blocks": 10**7}, "blocks of transformer"),
        ("transformer", {"detail_blocks": 10**7}, "detail_blocks of transformer"),
        ("transformer", {"width": 10**12}, "width of transformer"),
        ("codec", {"width": 10**9}, "width of codec"),
        ("text_encoder", {"n_layers": 10**7}, "n_layers of text_encoder"),
        ("text_encoder", {"vocab_size": 10**6, "dim": 10**6}, "vocab_size x dim of text_encoder"),
        (
            "text_encoder",
            {"max_position_embeddings": 10**5, "sinusoidal_pos_embds": True},
            "max_position_embeddings x dim of text_encoder",
        ),
    ],
)
def test_sizes_beyond_the_weights_are_refused_before_a_network_is_built(folder, part, values, words, monkeypatch):
    """10 million layers took minutes to build, only to be found missing in the weights."""
    change(folder / part / "config.json", **values)
    builders = {"transformer": "WorldTransformer.from_config", "codec": "PatchCodec.from_config"}
    builder = builders.get(part, "DistilBertConfig.from_dict")
    monkeypatch.setattr(f"worldgen.models.native.loading.{builder}", lambda *_: pytest.fail("it was built"))
    with pytest.raises(InputError, match=words):
        load_pipeline(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"accepts": 5}, {"accepts": ["smell"]}, {"context_window": 0}, {"context_window": "x"}, {"height_px": -1},
        {"width_px": 1.5}, {"fps": "fast"}, {"fps": float("inf")}, {"fps": True}, {"reads_noise": "no"},
    ],
)  # fmt: skip
def test_values_that_no_tensor_shows_are_refused(folder, values):
    change(folder / "transformer" / "config.json", **values)
    with pytest.raises(InputError, match=f"{next(iter(values))} of transformer"):
        load_pipeline(folder)


def test_a_pipeline_of_another_class_is_refused(folder):
    for name in ("StableDiffusionPipeline", ["evil", "WorldPipeline"], 3):
        change(folder / "model_index.json", _class_name=name)
        with pytest.raises(InputError, match="class of the pipeline"):
            load_pipeline(folder)


def test_variants_are_read_and_plain_weights_come_first(folder, tmp_path):
    pipeline = load_pipeline(folder)
    whole = {name: tensor.clone() for name, tensor in pipeline.transformer.state_dict().items()}
    halves = tmp_path / "halves"
    pipeline.to(torch.float16).save_pretrained(halves, variant="fp16")
    assert (halves / "transformer/diffusion_pytorch_model.fp16.safetensors").is_file()
    read = load_pipeline(halves).transformer.state_dict()
    assert all(torch.equal(read[name], tensor.half().float()) for name, tensor in whole.items())
    both = load_pipeline(folder)
    both.to(torch.float16).save_pretrained(folder, variant="fp16")
    assert variant_of(folder / "codec") is None
    read = load_pipeline(folder).transformer.state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in whole.items())


def test_several_variants_are_refused_by_name(folder):
    path = next((folder / "codec").glob("*.safetensors"))
    for variant in ("a", "b"):
        shutil.copy(path, path.with_name(f"diffusion_pytorch_model.{variant}.safetensors"))
    path.unlink()
    with pytest.raises(InputError, match=r"received \['a', 'b'\]; expected one variant"):
        load_pipeline(folder)


def test_shards_of_a_variant_are_read(folder, tmp_path):
    transformer = load_pipeline(folder).transformer
    transformer.save_pretrained(tmp_path / "parts", max_shard_size="50KB", variant="fp16")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    tensors = read_tensors(tmp_path / "parts")
    assert all(torch.equal(tensors[name], tensor) for name, tensor in transformer.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder, value):
    path = next((folder / "codec").glob("*.safetensors"))
    tensors = load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[0] = value
    save_file(tensors, path)
    with pytest.raises(InputError, match=f"tensor {name}: received NaN or infinite"):
        load_pipeline(folder)


def test_devices():
    assert usable_device("cpu") == torch.device("cpu")
    for name in ("meta", "no such", "cuda:99", "cpu:x"):
        with pytest.raises(InputError, match="device"):
            usable_device(name)


def test_the_shipped_folder_is_ready_for_the_hub(repository):
    """Front matter, code that is only an import, and nothing that a hub would refuse to show."""
    folder = repository / "assets" / "model"
    _, matter, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(matter)
    assert card["license"] == "apache-2.0" and card["library_name"] == "diffusers"
    assert card["pipeline_tag"] == "text-to-video" and "driving" in card["tags"]
    assert (folder / "pipeline.py").read_text() == CODE
    assert json.loads((folder / "model_index.json").read_text())["_class_name"] == ["pipeline", "WorldPipeline"]
    found = DiffusionPipeline.from_pretrained(folder, trust_remote_code=True, local_files_only=True)
    checked = load_pipeline("shipped")
    for name in NETWORKS:
        tensors = getattr(found, name).float().state_dict()
        assert all(torch.equal(tensors[key], value) for key, value in getattr(checked, name).state_dict().items())
