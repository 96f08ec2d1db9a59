"""Where a pretrained model lies: a local folder, or a repository of the Hugging Face hub that the user has named."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILES = ("*.json", "*/*.json", "*/*.safetensors", "*/*.model", "*/*.txt", "*/*.jinja")
"""Files of a pipeline in the layout of diffusers: configs, tokenizers and weights without pickles; none of the copies
in other layouts that lie beside them."""
CONFIG_FILES = ("*.json", "*/*.json")
INDICES = ("model_index.json", "modular_model_index.json")
INNER_MODULES = {"ltx2": "diffusers.pipelines.ltx2"}
"""Modules of diffusers that an index names by their own name."""
HOMES = ("diffusers", "transformers", *INNER_MODULES.values())
"""Packages that may hold the classes of a pipeline's parts. Others would be imported only because a file names them."""


@dataclass(frozen=True)
class Component:
    """A part of a pipeline: the package and class that read it, and its folder in the pipeline."""

    home: str
    class_name: str


@dataclass(frozen=True)
class ModelSource:
    """A pipeline on this machine.

    name: as the user wrote it. folder: with its files. class_name: of the pipeline, as its index states it.
    components: name -> what reads it; parts that the index states as absent are left out. settings: plain values of
    the index, as ``boundary_ratio``.
    """

    name: str
    folder: Path
    class_name: str
    components: dict[str, Component]
    settings: dict[str, object]

    def require(self, *names: str) -> None:
        """Raises InputError unless all these parts are named by the index and have a folder."""
        for name in names:
            if name not in self.components:
                stated = ", ".join(self.components) or "nothing"
                raise InputError(f"model {self.name}", Received(f"no {name} in its index ({stated})"), f"a {name}")
            if not (self.folder / name).is_dir():
                raise InputError(f"model {self.name}", Received(f"no folder {name}"), f"the files of its {name}")

    def config(self, name: str) -> dict[str, object]:
        """The config of a part. Raises: InputError where there is none."""
        return read_object(self.folder / name / "config.json", f"config of {name} in {self.name}")


def find_model(name: str, *, revision: str = "", configs_only: bool = False) -> ModelSource:
    """The pipeline in folder ``name``, or of the hub repository ``name``, which is downloaded where it is not cached.

    revision: of a repository. configs_only: without weights, which is enough to plan.

    Raises: InputError for a folder without an index, a name that is neither, and each way in which a download fails.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if not REPOSITORY.fullmatch(name):
            raise InputError("model", name, "a folder with model_index.json, or a hub repository as in Wan-AI/NAME")
        folder = download(name, revision=revision, patterns=CONFIG_FILES if configs_only else FILES)
    elif revision:
        raise InputError("revision of a model", revision, f"none: {name} is a folder, not a hub repository")
    return read_index(folder, name)


def read_index(folder: Path, name: str) -> ModelSource:
    """What the index of a pipeline states. Raises: InputError for an index that is absent or cannot be used."""
    path = next((folder / index for index in INDICES if (folder / index).is_file()), None)
    if path is None:
        raise InputError(f"model {name}", Received("no " + " or ".join(INDICES)), "a pipeline in diffusers' layout")
    index = read_object(path, f"index of {name}")
    stated = index.get("_class_name")
    class_name = stated[-1] if isinstance(stated, list) and stated else stated
    if not isinstance(class_name, str):
        raise InputError(f"class of the pipeline in {path}", stated, "the name of a class")
    components: dict[str, Component] = {}
    settings: dict[str, object] = {}
    for key, entry in index.items():
        if key.startswith("_"):
            continue
        if not isinstance(entry, list):
            settings[key] = entry
        elif len(entry) >= 2 and isinstance(entry[0], str) and isinstance(entry[1], str):
            home = entry[0].split(".")[0]
            components[key] = Component(INNER_MODULES.get(home, home), entry[1])
    return ModelSource(name, folder, class_name, components, settings)


def refuse_foreign_homes(source: ModelSource) -> None:
    """Raise InputError for a part whose class would come from a package other than ``HOMES``."""
    for name, component in source.components.items():
        if component.home not in HOMES:
            raise InputError(f"module of {name} in {source.name}", component.home, " or ".join(HOMES))


def download(name: str, *, revision: str, patterns: tuple[str, ...]) -> Path:
    """The local folder of a hub repository. Raises: InputError with one line for each way in which it fails."""
    from huggingface_hub import errors, snapshot_download

    offline: tuple[type[Exception], ...] = (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)
    unreachable = offline + _transport_errors()
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=list(patterns)))
    except errors.GatedRepoError as error:
        raise InputError(
            f"model {name}", Received("a gated repository"),
            f"access: accept its terms at https://huggingface.co/{name}, then run hf auth login",
        ) from error  # fmt: skip
    except errors.RevisionNotFoundError as error:
        raise InputError(f"revision of {name}", revision, "a branch, tag or commit of the repository") from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"model {name}", Received("no such folder, and no such public repository"),
            "a folder, or a hub repository that you may read",
        ) from error  # fmt: skip
    except unreachable as error:
        raise InputError(
            f"model {name}", Received("no such folder, and the hub cannot be reached"),
            "a network without HF_HUB_OFFLINE, or a folder that holds the model",
        ) from error  # fmt: skip
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        raise InputError(f"model {name}", Received(str(error)), "a download that succeeds") from error


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library under huggingface_hub raises without a connection; its version decides which one."""
    found: list[type[Exception]] = [ConnectionError, TimeoutError]
    for module, name in (("httpx2", "TransportError"), ("httpx", "TransportError"), ("requests", "ConnectionError")):
        if importlib.util.find_spec(module) is not None:
            found.append(getattr(importlib.import_module(module), name))
    return tuple(found)
