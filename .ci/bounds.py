"""The README's main job at the lowest versions that pyproject.toml allows and at the newest, on every Python here.

python .ci/bounds.py dist/worldgen-*.whl [--work FOLDER] [--python 3.10 --python 3.12] [--bounds lowest]

"lowest" takes the lower bound of every direct dependency except torch, and the newest of what these depend on. A Python
for which only a torch with CUDA can be had (gigabytes) does what needs no network: it renders a clip.
``--cuda`` installs such a torch nevertheless. Needs ``packaging``; wheels come from the cache of pip.
"""

from __future__ import annotations

import argparse
import email
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
OF_NETWORKS = ("accelerate", "peft", "diffusers", "transformers")
"""Dependencies that are of no use without torch, or would install it."""
PROMPT = "pedestrian at night in rain"
FILES = ("clip.mp4", "sheet.png", "labels.json", "ego.csv", "meta.json")


def requirements(wheel: Path, python: str) -> list[Requirement]:
    """What an installed wheel needs on this Python, extras left out."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    wanted = [Requirement(line) for line in lines]
    return [each for each in wanted if each.marker is None or each.marker.evaluate(environment)]


def lowest(wanted: list[Requirement]) -> list[str]:
    """Each requirement at its lower bound, ``name==version``; torch stays free."""
    pins = []
    for each in wanted:
        bounds = [part.version for part in each.specifier if part.operator == ">="]
        if len(bounds) != 1:
            raise SystemExit(f"{each}: one lower bound expected")
        if each.name != "torch":
            pins.append(f"{each.name}=={bounds[0]}")
    return pins


def interpreter(python: str) -> str | None:
    """The program of a Python version: on the PATH, or of pyenv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found in [*sorted(root.glob(f"versions/{python}.*/bin/python")), shutil.which(f"python{python}")]:
        if not found:
            continue
        test = subprocess.run([found, "-c", "import ssl, venv"], capture_output=True, check=False)
        if test.returncode == 0:
            return str(found)
    return None


class Environment:
    """A virtual environment in a folder of its own, into which the pip of this Python installs."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "env" / "bin"
        run([program, "-m", "venv", "--without-pip", str(folder / "env")], folder)

    def install(self, *arguments: str) -> None:
        """``pip install``, wheels only: a bound without a wheel for this Python is an error at once."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install"]
        run([*pip, "--quiet", "--only-binary", ":all:", *arguments], self.folder)

    def brings_cuda(self, torch: Requirement) -> bool:
        """Whether the torch that pip would take comes with CUDA: on Linux x86-64 the builds of PyPI do."""
        if sys.platform != "linux" or platform.machine() != "x86_64":
            return False
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "index", "versions", "torch"]
        found = next(line for line in run(pip, self.folder).splitlines() if line.startswith("Available versions:"))
        versions = [Version(word.strip()) for word in found.split(":", 1)[1].split(",")]
        return max(torch.specifier.filter(versions)).local != "cpu"

    def worldgen(self, *arguments: str) -> None:
        """A command of the installed wheel."""
        run([str(self.bin / "worldgen"), *arguments], self.folder)


def run(command: list[str], folder: Path) -> str:
    """Standard output of a command that must succeed; otherwise its last lines and the end."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("WARNING: Location")]
        raise SystemExit("\n".join([f"failed: {' '.join(command)}", *lines[-30:]]))
    return done.stdout


def check(program: str, python: str, wheel: Path, bounds: str, *, cuda: bool, work: Path) -> str:
    """Install and run in a new environment; returns which jobs ran."""
    folder = work / f"{python}-{bounds}"
    folder.mkdir(parents=True)
    environment, wanted = Environment(program, folder), requirements(wheel, python)
    pins = lowest(wanted) if bounds == "lowest" else [str(each) for each in wanted if each.name != "torch"]
    torch = next(each for each in wanted if each.name == "torch")
    whole = cuda or not environment.brings_cuda(torch)
    if whole:
        environment.install(str(torch), *pins, str(wheel))
        environment.worldgen("sample", "--prompt", PROMPT, "--out", "sample")
        environment.worldgen("info")
    else:
        environment.install(*(pin for pin in pins if Requirement(pin).name not in OF_NETWORKS))
        environment.install("--no-deps", str(wheel))
        environment.worldgen("scenes", "render", "--prompt", PROMPT, "--out", "sample")
    missing = [name for name in FILES if not (folder / "sample" / name).is_file()]
    if missing:
        raise SystemExit(f"{folder}: no {', '.join(missing)}")
    environment.worldgen("ingest", "sample/clip.mp4", "--out", "set", "fps=8", "num_frames=8")
    environment.worldgen("data", "validate", "set")
    shutil.rmtree(folder)
    return "sample, info, ingest, validate" if whole else "render, ingest, validate (no torch without CUDA)"


def main() -> None:
    """Every Python, every bound; one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--work", type=Path, help="existing folder for the environments (default: a temporary one)")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="only this version; may be repeated")
    parser.add_argument("--bounds", action="append", choices=("lowest", "newest"), help="only these versions")
    parser.add_argument("--cuda", action="store_true", help="install torch even when it brings CUDA")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="worldgen-bounds.", dir=args.work) as work:
        for python in args.python or PYTHONS:
            program = interpreter(python)
            if program is None:
                print(f"Python {python}: not on this machine, skipped", flush=True)
                continue
            for bounds in args.bounds or ("lowest", "newest"):
                start_s = time.monotonic()
                jobs = check(program, python, args.wheel.resolve(), bounds, cuda=args.cuda, work=Path(work))
                print(f"Python {python}, {bounds}: {jobs}, {time.monotonic() - start_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()
