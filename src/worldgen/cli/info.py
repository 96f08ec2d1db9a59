"""Print versions, devices, the models found, and what a model or each family of models honours.

examples:
  worldgen info --json
  worldgen info --families
  worldgen info --model Wan-AI/Wan2.1-VACE-1.3B-diffusers
"""

from __future__ import annotations

import argparse
from pathlib import Path

from worldgen.core.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen info``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument(
        "--model", metavar="FOLDER|ID", action="append", default=[],
        help="report what this model honours, from its configs alone: a folder or hub repository; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--families", action="store_true", help="print which family of models honours what in which command"
    )


def run(args: argparse.Namespace) -> int:
    """Print what is installed and what could run here."""
    import json

    if args.families:
        return _print_families(as_json=args.json)
    models = _models(args.model)  # first: a wrong folder is refused before the devices are queried, which takes seconds
    record = {"versions": _versions(), "optional": _optional(), "devices": _devices(), "models": models}
    if args.json:
        print(json.dumps(record, indent=2))
        return 0
    for title, rows in _lines(record).items():
        print(title)
        for name, value in rows:
            print(f"  {name:<24} {value}")
    return 0


PACKAGES = (
    "torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "omegaconf", "numpy",
    "opencv-python-headless", "av", "pyarrow", "fsspec",
)  # fmt: skip
OPTIONAL = {
    "ray": "ray",
    "tensorboard": "tensorboard",
    "ftfy": "backbones",
    "sentencepiece": "backbones",
    "pytest": "test",
}
"""Package -> the extra that installs it."""


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    import worldgen

    found = {"worldgen": worldgen.__version__, "python": platform.python_version(), "system": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _optional() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for package, extra in OPTIONAL.items():
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = f"not installed (pip install 'worldgen[{extra}]')"
    return found


def _devices() -> list[dict[str, object]]:
    import os

    import torch

    devices: list[dict[str, object]] = [{"device": "cpu", "cores": os.cpu_count(), "threads": torch.get_num_threads()}]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        with torch.cuda.device(index):
            bf16 = torch.cuda.is_bf16_supported()
        devices.append(
            {
                "device": f"cuda:{index}",
                "name": properties.name,
                "memory_gb": round(properties.total_memory / 1e9, 1),
                "bf16": bf16,
            }
        )
    if torch.backends.mps.is_available():
        devices.append({"device": "mps"})
    return devices


def _print_families(*, as_json: bool) -> int:
    """The contract table."""
    import json

    from worldgen.models.contract import contract_lines, contract_rows
    from worldgen.models.families import FAMILIES

    if as_json:
        print(json.dumps(contract_rows(FAMILIES), indent=2))
        return 0
    print("\n".join(contract_lines(FAMILIES)))
    print("s: worldgen sample, g: worldgen generate, r: worldgen restyle")
    print("licences: " + "; ".join(f"{name}: {promise.licence}" for name, promise in FAMILIES.items()))
    return 0


def _models(extra: list[str]) -> list[dict[str, object]]:
    """Model folders that ship with worldgen and those named on the command line."""
    from worldgen.files.shipped import assets_dir
    from worldgen.generation.sample.model_loading import is_native

    shipped = sorted(path.parent for path in assets_dir().rglob("model_index.json"))
    named = []
    for name in extra:
        if is_native(name):
            if not (Path(name) / "model_index.json").is_file():
                raise InputError("model", name, "a folder with model_index.json, or a hub repository")
            named.append(_model(Path(name)))
        else:
            named.append(_pretrained(name))
    return [*(_model(folder) for folder in shipped), *named]


def _pretrained(name: str) -> dict[str, object]:
    """What a pretrained model promises and weighs, from its configs; no weights are read or downloaded."""
    from worldgen.models.backbones.hub import find_model, refuse_foreign_homes
    from worldgen.models.backbones.memory_check import parameter_counts
    from worldgen.models.backbones.registry import family_of
    from worldgen.models.contract import promise_lines

    source = find_model(name, configs_only=True)
    promise = family_of(source)
    refuse_foreign_homes(source)
    counts = parameter_counts(source)
    return {
        "name": name, "accepts": list(promise.conditions), "promise": dict(promise_lines(promise)),
        "parameters": counts, "folder": str(source.folder),
    }  # fmt: skip


def _model(folder: Path) -> dict[str, object]:
    """Facts that a model folder states, without loading its weights."""
    from worldgen.files.json_files import read_object

    accepts: list[str] = []
    for path in (folder / "model_index.json", *sorted(folder.glob("*/config.json"))):
        stated = read_object(path, f"model file {path}").get("accepts")
        accepts = accepts or [str(name) for name in stated] if isinstance(stated, list) else accepts
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"name": folder.name, "accepts": accepts, "megabytes": round(size / 1e6, 1), "folder": str(folder)}


def _lines(record: dict) -> dict[str, list[tuple[str, object]]]:
    devices = [
        (each["device"], ", ".join(f"{key} {value}" for key, value in each.items() if key != "device"))
        for each in record["devices"]
    ]
    models = [
        (
            each["name"],
            f"accepts {', '.join(each['accepts']) or 'nothing stated'}; {each['megabytes']} MB; {each['folder']}",
        )
        for each in record["models"]
        if "promise" not in each
    ]
    pretrained = {
        each["name"]: [
            *each["promise"].items(),
            *((f"parameters, {part}", f"{count:,}") for part, count in each["parameters"].items()),
            ("folder", each["folder"]),
        ]
        for each in record["models"]
        if "promise" in each
    }
    return {
        "versions": list(record["versions"].items()),
        "optional packages": list(record["optional"].items()),
        "devices": devices,
        "models": models or [("none", "no model folder found")],
        **pretrained,
    }
