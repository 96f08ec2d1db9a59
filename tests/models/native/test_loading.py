"""Saved pipelines from outside: nothing of theirs runs, and what does not fit is one line."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from worldgen.core.errors import InputError
from worldgen.models.devices import usable_device
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.sizes import build_pipeline


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
