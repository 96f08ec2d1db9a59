"""Tiny pipelines of the real classes, saved once per test run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.backbones import tiny_families
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.backbones.wan_vace import WanVace
from worldgen.models.native.loading import quiet_libraries


@pytest.fixture(scope="session")
def vace_folder(tmp_path_factory) -> Path:
    quiet_libraries()
    return tiny_families.save_wan_vace(tmp_path_factory.mktemp("vace") / "Tiny-VACE")


@pytest.fixture(scope="session")
def two_vace_folder(tmp_path_factory) -> Path:
    quiet_libraries()
    return tiny_families.save_wan_vace(tmp_path_factory.mktemp("vace2") / "Tiny-VACE-Fun", two=True)


@pytest.fixture(scope="session")
def vace(vace_folder) -> WanVace:
    model = load_backbone(str(vace_folder), BackboneConfig(), torch.device("cpu"))
    assert isinstance(model, WanVace)
    return model
