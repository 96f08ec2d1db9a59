"""Finding, planning and reading pretrained models: everything that can be wrong is one clear line."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.backbones import tiny_families
from tests.models.backbones.test_wan_vace import change, request, sampled
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, MissingDependencyError
from worldgen.models.backbones import hub, memory_check, quantisation
from worldgen.models.backbones.digests import content_name, file_digest
from worldgen.models.backbones.hub import find_model
from worldgen.models.backbones.memory_check import Run, check_memory, estimated_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.families import WAN_VACE
from worldgen.models.interface import sampler_options
from worldgen.models.promise import LargestClip

CPU = torch.device("cpu")
http = importlib.import_module(next(name for name in ("httpx2", "httpx") if importlib.util.find_spec(name)))
"""The HTTP library under huggingface_hub."""


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def load(folder: Path | str, **options):
    return load_backbone(str(folder), BackboneConfig(**options), CPU)


def edit_json(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_saved_model_is_recognised_by_its_index(vace_folder):
    source = find_model(str(vace_folder))
    assert source.class_name == "WanVACEPipeline" and source.settings["boundary_ratio"] is None
    assert set(source.components) == {"transformer", "vae", "text_encoder", "tokenizer", "scheduler"}


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda f: (f / "model_index.json").unlink(), "no model_index.json"),
        (lambda f: edit_json(f / "model_index.json", _class_name="FluxPipeline"), "FluxPipeline.*WanVACEPipeline"),
        (lambda f: edit_json(f / "model_index.json", _class_name=7), "the name of a class"),
        (lambda f: edit_json(f / "model_index.json", vae=["evil.module", "X"]), "evil.*diffusers or transformers"),
        (lambda f: edit_json(f / "model_index.json", vae=["diffusers", "AutoencoderNew"]), "AutoencoderNew"),
        (lambda f: shutil.rmtree(f / "vae"), "no folder vae"),
        (lambda f: shutil.rmtree(f / "text_encoder"), "no folder text_encoder"),
        (lambda f: edit_json(f / "model_index.json", transformer=[None, None]), "transformer"),
        (lambda f: [p.unlink() for p in (f / "transformer").glob("*.safetensors")], "no .safetensors file"),
        (lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut"), "vace_copy"),
        (lambda f: edit_json(f / "transformer" / "config.json", num_attention_heads="many"), "config|sizes"),
        (lambda f: edit_json(f / "transformer" / "config.json", num_layers=3), "27 missing tensors, as blocks.2"),
        (lambda f: edit_json(f / "transformer" / "config.json", num_layers=1, vace_layers=[0]), "extra tensors"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_by_what_it_lacks(vace_folder, tmp_path, spoil, line):
    folder = copied(vace_folder, tmp_path / "vace_copy")
    spoil(folder)
    with pytest.raises(InputError, match=line) as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_weights_as_a_pickle_are_refused(vace_folder, tmp_path):
    folder = copied(vace_folder, tmp_path / "copy")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").rename(folder / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match=r"safetensors"):
        load(folder)


def test_a_missing_package_is_named_with_its_extra(vace_folder, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ftfy" else real(name, *rest))
    with pytest.raises(MissingDependencyError, match=r"ftfy.*worldgen\[backbones\]"):
        load(vace_folder)


def test_a_native_model_is_no_pretrained_family(tmp_path):
    folder = tmp_path / "native"
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": ["pipeline", "WorldPipeline"]}))
    with pytest.raises(InputError, match="family native"):
        load(folder)


# ---- the hub


def raised_by_the_hub(kind: str) -> Exception:
    from huggingface_hub import errors

    url = "https://huggingface.co/some/model"
    response = http.Response(403, request=http.Request("GET", url))
    made = {
        "gated": lambda: errors.GatedRepoError("gated", response=response),
        "absent": lambda: errors.RepositoryNotFoundError("absent", response=response),
        "revision": lambda: errors.RevisionNotFoundError("revision", response=response),
        "offline": lambda: errors.OfflineModeIsEnabled("offline"),
        "not cached": lambda: errors.LocalEntryNotFoundError("not cached"),
        "no route": lambda: http.ConnectError("no route to host"),
        "disk": lambda: OSError("No space left on device"),
    }
    return made[kind]()


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("gated", "gated repository.*accept its terms at https://huggingface.co/some/model"),
        ("absent", "no such folder, and no such public repository"),
        ("revision", "revision of some/model: received 'v9'"),
        ("offline", "the hub cannot be reached"),
        ("not cached", "the hub cannot be reached"),
        ("no route", "the hub cannot be reached"),
        ("disk", "No space left"),
    ],
)
def test_each_way_in_which_a_download_fails_is_one_line(monkeypatch, kind, line):
    import huggingface_hub

    def fail(*args, **kwargs):
        raise raised_by_the_hub(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(InputError, match=line):
        load("some/model", revision="v9")


def test_without_a_network_the_real_client_says_so():
    with pytest.raises(InputError, match="no such folder, and the hub cannot be reached"):
        load("nobody/no-such-model")


@pytest.mark.parametrize("name", ["no such thing", "/nowhere/at/all", "a/b/c"])
def test_a_name_that_is_neither_folder_nor_repository(name):
    with pytest.raises(InputError, match=r"a folder with model_index\.json, or a hub repository"):
        load(name)


def test_configs_come_before_weights_and_weights_only_when_they_fit(vace_folder, monkeypatch):
    import huggingface_hub

    asked = []

    def download(name, *, revision, allow_patterns):
        asked.append(allow_patterns)
        return str(vace_folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load("some/model").promise.family == "wan_vace"
    assert asked == [list(hub.CONFIG_FILES), list(hub.FILES)]
    asked.clear()
    with pytest.raises(InputError, match="memory for some/model"):
        load("some/model", device_memory_gb=1e-6)
    assert asked == [list(hub.CONFIG_FILES)]


def test_a_revision_of_a_folder_is_refused(vace_folder):
    with pytest.raises(InputError, match="not a hub repository"):
        load(vace_folder, revision="main")


# ---- memory


def test_parameters_are_counted_without_weights(vace_folder, vace):
    counts = parameter_counts(find_model(str(vace_folder)))
    for name in ("transformer", "vae"):
        assert counts[name] == sum(p.numel() for p in getattr(vace.pipeline, name).parameters())


VACE_14B = {"transformer": 17_340_000_000, "text_encoder": 5_680_000_000, "vae": 127_000_000}
"""Published sizes."""


GPU = torch.device("cuda")
FULL_RUN = Run((832, 480), 81, WAN_VACE.frames)


def refusal(gigabytes: float, counts: dict[str, int] = VACE_14B, run: Run = FULL_RUN, **options) -> str:
    """What the check says of a device of so many GB, "" where it fits; a pixel of a frame works with 180 bytes."""

    def working(config: BackboneConfig, size_px: tuple[int, int], frames: int) -> int:
        return size_px[0] * size_px[1] * frames * 180 // (2 if config.vae_tiling else 1)

    config = BackboneConfig(device_memory_gb=gigabytes, **options)
    try:
        check_memory("big", counts, config, device=GPU, working=working, run=run)
    except InputError as error:
        return str(error)
    return ""


def test_the_check_names_the_fastest_options_that_make_a_model_fit():
    assert refusal(80) == ""
    message = refusal(24)
    assert "memory for big on cuda, 81 frames of 832x480 at a time: received 24.0 GB free of 41.0 GB needed" in message
    assert message.endswith("expected the backbone option offload=group, with which it fits")
    assert refusal(24, offload="group") == ""
    assert refusal(38.5).endswith("the backbone option vae_tiling=true, with which it fits")
    assert refusal(5.5).endswith("the backbone options vae_tiling=true offload=group, with which it fits")
    float32 = refusal(80, VACE_14B | {"transformer": 20_000_000_000}, dtype="float32")
    assert float32.endswith("the backbone option dtype=bfloat16, with which it fits")


def test_where_no_saver_helps_the_check_names_a_length_that_fits_and_then_a_smaller_size():
    message = refusal(2.5, VACE_14B | {"text_encoder": 0}, offload="sequential")
    assert message.endswith("the backbone options vae_tiling=true chunk_frames=53, with which it fits")
    assert "a smaller size" in refusal(0.4, VACE_14B | {"text_encoder": 0}, offload="sequential")


def test_the_check_is_for_the_size_and_length_that_are_asked_for():
    large, small = Run((1280, 720), 81, WAN_VACE.frames), Run((416, 240), 17, WAN_VACE.frames)
    assert "81 frames of 1280x720" in refusal(43, run=large)
    assert refusal(43) == "" and refusal(36, run=small) == ""
    asked = Run.of(LargestClip(161, (1280, 720), chunk=49), BackboneConfig(), WAN_VACE)
    assert (asked.size_px, asked.frames) == ((1280, 720), 49)
    assert Run.of(LargestClip(161), BackboneConfig(chunk_frames=33), WAN_VACE).words == "33 frames of 832x480"
    assert Run.of(LargestClip(17), BackboneConfig(), WAN_VACE).frames == 17
    assert Run.of(None, BackboneConfig(), WAN_VACE).words == "5 frames of 16x16"


def test_a_request_that_does_not_fit_is_refused_before_it_is_sampled(vace_folder):
    """The model itself fits; a clip of 81 large frames does not. With the clip named, it is known before loading."""
    model = load_backbone(str(vace_folder), BackboneConfig(device_memory_gb=0.05), CPU)
    assert len(model([request(5)], sampler_options(model.promise, steps=1))[0]) == 5
    size = (1024, 768)
    large = dataclasses.replace(request(81), camera=Camera.from_fov(*size, 70.0), controls={})
    with pytest.raises(InputError, match=r"memory for the family wan_vace on cpu, 81 frames of 1024x768 at a time"):
        model.prepare([large])
    with pytest.raises(InputError, match=r"memory for .*, 81 frames of 1024x768 at a time: received 0\.1 GB free"):
        load_backbone(str(vace_folder), BackboneConfig(device_memory_gb=0.05), CPU, LargestClip(81, size))


def test_the_text_encoder_counts_while_words_are_encoded():
    small = {"transformer": 2_150_000_000, "text_encoder": 5_680_000_000, "vae": 127_000_000}
    estimate = estimated_memory(small, BackboneConfig(offload="model"), dtype="bfloat16", working=3_000_000_000)
    assert estimate.total == 2 * small["text_encoder"]
    whole = estimated_memory(small, BackboneConfig(text_encoder="device"), dtype="bfloat16", working=3_000_000_000)
    assert whole.total == 2 * (small["transformer"] + small["text_encoder"]) + 4 * small["vae"] + 3_000_000_000


def test_a_cpu_has_no_use_for_offloading(vace_folder):
    with pytest.raises(InputError, match=r"backbone.offload: received 'model'; expected none on a CPU"):
        load(vace_folder, offload="model")
    assert memory_check.free_bytes(CPU, BackboneConfig()) > 1 << 28


# ---- options that change how it runs, not what it makes


def test_the_codec_stays_in_float32_when_the_rest_does_not(vace_folder):
    model = load(vace_folder, dtype="bfloat16")
    assert model.pipeline.vae.dtype == torch.float32 and model.pipeline.transformer.dtype == torch.bfloat16
    assert sampled(model, request(5), steps=1).std() > 1


@pytest.mark.parametrize("options", [{"vae_slicing": True}, {"vae_tiling": True}, {"attention": "native"}])
def test_savers_change_no_clip_of_this_size(vace, vace_folder, options):
    np.testing.assert_array_equal(sampled(load(vace_folder, **options), request(5)), sampled(vace, request(5)))


@pytest.mark.parametrize("bits", ["int8", "float8"])
def test_quantised_weights_take_a_byte_and_change_the_clip_a_little(vace, vace_folder, bits):
    pytest.importorskip("torchao")
    model = load(vace_folder, quantise=bits)
    assert model.weights_hash != vace.weights_hash
    assert 0 < change(sampled(model, request(5)), sampled(vace, request(5))) < 8
    assert model.estimate(request(5)).weights < vace.estimate(request(5)).weights


def test_quantisation_that_cannot_be_is_one_clear_line(vace_folder, monkeypatch):
    monkeypatch.setattr(quantisation.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"received int8 without the package torchao; expected pip install"):
        load(vace_folder, quantise="int8")
    monkeypatch.setattr(quantisation.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(InputError, match="offload with quantise: received 'group'; expected none or model"):
        load(vace_folder, quantise="int8", offload="group")
    with pytest.raises(InputError, match="quantise: received 'int3'; expected one of int8, float8"):
        load(vace_folder, quantise="int3")


def test_an_attention_backend_that_is_not_there_is_refused(vace_folder):
    with pytest.raises(InputError, match=r"backbone\.attention: received 'no_such'"):
        load(vace_folder, attention="no_such")


def test_defaults_of_the_sampler_come_from_options_and_files(vace_folder, vace):
    assert vace.promise.shift == 3.0 and vace.promise.steps == 30
    model = load(vace_folder, steps=4, guidance=1.0, shift=5.0, chunk_frames=9)
    options = sampler_options(model.promise)
    assert (options.steps, options.chunk, options.guidance, options.shift) == (4, 9, {"text": 1.0}, 5.0)


def test_encoded_words_are_kept_and_give_the_same_clip(vace_folder, vace, tmp_path, monkeypatch):
    first = load(vace_folder, prompt_cache=str(tmp_path))
    clip = sampled(first, request(5))
    np.testing.assert_array_equal(clip, sampled(vace, request(5)))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2  # the prompt and the negative one
    again = load(vace_folder, prompt_cache=str(tmp_path))
    monkeypatch.setattr(type(again.text), "_read", None)  # the encoder is not needed any more
    np.testing.assert_array_equal(sampled(again, request(5)), clip)
    next(tmp_path.glob("*.safetensors")).write_bytes(b"cut")
    with pytest.raises(InputError, match="encoded prompt"):
        sampled(load(vace_folder, prompt_cache=str(tmp_path)), request(5))


@pytest.mark.parametrize(("place", "held"), [("free", False), ("host", True), ("device", True)])
def test_the_text_encoder_stays_where_the_option_says(vace_folder, place, held):
    model = load(vace_folder, text_encoder=place)
    model.encode_words(["a car"])
    assert (model.text._held is not None) is held


def test_a_lora_changes_clip_and_name_of_the_weights(vace, vace_folder, tmp_path):
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipeline = tiny_families.wan_vace()
    pipeline.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    pipeline.save_lora_weights(
        tmp_path / "lora", transformer_lora_layers=get_peft_model_state_dict(pipeline.transformer)
    )
    plain, adapted, weak = sampled(vace, request(5)), load(vace_folder, lora=str(tmp_path / "lora")), None
    weak = load(vace_folder, lora=str(tmp_path / "lora"), lora_scale=0.0)
    assert change(sampled(adapted, request(5)), plain) > 0
    np.testing.assert_allclose(sampled(weak, request(5)).astype(int), plain.astype(int), atol=1)
    assert len({vace.weights_hash, adapted.weights_hash, weak.weights_hash}) == 3
    with pytest.raises(InputError, match=r"LoRA.*none"):
        load(vace_folder, lora=str(vace_folder / "tokenizer"))


def test_weights_are_named_by_content(vace_folder, vace, tmp_path):
    folder = copied(vace_folder, tmp_path / "elsewhere")
    assert load(folder).weights_hash == vace.weights_hash
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    parts = [p.name for p in folder.iterdir() if p.is_dir()]
    assert content_name(folder, parts) != content_name(vace_folder, parts)


def test_a_file_in_the_cache_of_the_hub_is_named_without_reading_it(tmp_path):
    blob = tmp_path / ("ab" * 32)
    blob.write_bytes(b"not what its name says")
    (tmp_path / "model.safetensors").symlink_to(blob)
    assert file_digest(tmp_path / "model.safetensors") == "ab" * 32


def test_the_estimate_grows_with_size_and_length(vace):
    asked = [request(9), request(9, camera=None, controls={"depth": np.zeros((9, 64, 96, 3), np.uint8)})]
    small, large = (vace.estimate(each) for each in asked)
    assert small.weights == large.weights > 0 and small.working < large.working
    fewer = dataclasses.replace(vace, config=BackboneConfig(chunk_frames=5))
    assert fewer.estimate(request(9)).working < small.working
