"""What a user gets from pip: the wheel carries the model, the examples and the configs."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from worldgen.files.shipped import assets_dir, configs_dir


def test_assets_and_configs_are_found_in_the_checkout(repository):
    assert assets_dir() == repository / "assets" and configs_dir() == repository / "configs"


@pytest.mark.slow
def test_the_wheel_carries_assets_and_configs(repository, tmp_path):
    pytest.importorskip(
        "hatchling", reason="builds without network, so hatchling must be there: pip install -e '.[test]'"
    )
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            tmp_path,
            repository,
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("worldgen-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    tracked = subprocess.run(
        ["git", "ls-files", "assets", "configs", "src/worldgen"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert tracked
    for name in tracked:
        packed = "worldgen/" + name.removeprefix("src/worldgen/")
        if (repository / name).exists():
            assert packed in names, f"{name} is not in the wheel"
            assert sizes[packed] == (repository / name).stat().st_size, name
    assert not [name for name in names if "tests/" in name or name.endswith(".pyc")]
    assert any(name.endswith("LICENSE") for name in names)
