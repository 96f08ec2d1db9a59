"""What the tests share. No test needs the network; those that need extra data skip and say so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that would download must fail at once, not hang

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """A folder of real clips that does not belong to the project (see CONTRIBUTING.md)."""
    folder = Path(os.environ.get("WORLDGEN_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs real clips in {folder}/data; set WORLDGEN_SHARED to their folder")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture(autouse=True)
def single_torch_thread() -> None:
    """Several test processes share few cores; torch's own threads would fight over them."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def run_worldgen() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in a process of its own, as a user does."""

    def run(*arguments: str, cwd: Path | None = None, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "worldgen", *arguments],
            capture_output=True, text=True, cwd=cwd, timeout=timeout_s, check=False,
        )  # fmt: skip

    return run
