"""Record golden traces: what today's code makes from fixed requests, so that a refactor can show that nothing changed.

    python tests/golden/record.py            # compare with what is recorded
    python tests/golden/record.py --write    # record anew; say in the commit what changed and why
    python tests/golden/record.py --write --only set    # record one part anew; the others stay as they are

Everything goes through the command line, so the traces do not depend on how modules and classes are named. Arithmetic
differs between processors in its last bits, and a rollout makes the difference grow; so each trace names the machine it
was made on, and on others pictures and losses are compared within a tolerance (:data:`PICTURE_TOLERANCE`,
:data:`LOSS_TOLERANCE`).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import platform
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PROMPTS = HERE.parent / "prompts" / "prompts.jsonl"
TRACES = HERE / "traces.json"
THUMBNAILS = HERE / "thumbnails.npz"
THUMBNAIL_PX = (14, 8)

PICTURE_TOLERANCE = 3.0
"""Largest mean difference of thumbnails in grey levels (0 to 255) between processors with other vector units."""
LOSS_TOLERANCE = 0.02
"""Largest difference of a loss between them, relative to the largest loss of its trace."""

CLIP = str(REPOSITORY / "assets" / "clips" / "downtown.mp4")
LOG = str(REPOSITORY / "assets" / "clips" / "downtown.ego.csv")
REQUESTS = {
    "prompt": ["--prompt", "pedestrian at night in rain", "--frames", "8"],
    "events": ["--prompt", "a car cuts in on a highway in fog", "--frames", "18", "--seed", "3"],
    "continuation": ["--context", CLIP, "--ego", "brake", "--frames", "12"],
    "ego log": ["--context", CLIP, "--ego", LOG, "--frames", "12"],
    "waypoints": ["--context", CLIP, "--frames", "12",
                  "--ego", "(1.2, 0), (2.4, 0.05), (3.6, 0.15), (4.8, 0.3), (6.0, 0.5), (7.2, 0.8), (8.4, 1.2)"],
    "noise": ["--prompt", "two cyclists at dusk in snow", "--start", "noise", "--frames", "6", "--seed", "5"],
}  # fmt: skip

TINY = [
    "device=cpu", "seed=3", "steps=20", "batch=2", "save_every=20", "validate_every=0", "data.num_frames=3",
    "data.width_px=64", "data.height_px=32", "optim.warmup=2", "optim.lr=0.003", "optim.ema_decay=0.9",
]  # fmt: skip
GENERATED_HISTORIES = [
    "flow.pure_noise=0.5",
    "flow.generated_history=0.5",
    "flow.from_noise=0.5",
    "flow.erased=0.3",
    "flow.object_weight=4",
]
TASKS: dict[str, list[str]] = {
    "codec": ["task=codec", "data.exposure=0.2"],
    "world": ["task=world", "init.codec={runs}/codec/model", "data.flip=0.0"],
    "world, generated histories": ["task=world", "init.pipeline={runs}/world/model", *GENERATED_HISTORIES],
    "world, rollouts": [
        "task=world", "init.pipeline={runs}/world/model", "flow.rollout_history=0.7", "flow.from_noise=0.4",
        "flow.huber=0.3",
    ],
    "student": [
        "task=student", "init.pipeline={runs}/world/model", "flow.generated_history=0.3", "student.teacher_steps=4",
    ],
    "adversarial": [
        "task=adversarial", "init.pipeline={runs}/world/model", *GENERATED_HISTORIES,
        "adversarial.warmup=5", "optim.lr=0.0002",
    ],
}  # fmt: skip
"""Each runs for 20 steps; ``{runs}`` is the folder of the runs before it."""

RECIPE = """
name: golden
cells:
  - {count: 1, weather: [light_rain], light: [night_lit], event: [jaywalker]}
  - {count: 1, weather: [clear], light: [day], agents: two cyclists}
clip: {frames: 6}
gate_from: configs/gate/default.yaml
gate: {bounds: {sharpness: {low: 0.1}}}
model: {batch: 2}
work: {attempts: 2, max_attempts: 4}
"""


def machine() -> dict[str, str]:
    """What decides about the last bits: the processor's vector units and the libraries that use them."""
    import av
    import cv2
    import torch

    return {
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}", "torch": torch.__version__,
        "numpy": np.__version__, "opencv": cv2.__version__, "av": av.__version__,
    }  # fmt: skip


def worldgen(*arguments: str) -> str:
    """Run the command in this process and return what it printed. Raises RuntimeError unless it ends with 0."""
    from worldgen.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    if code:
        raise RuntimeError(f"worldgen {' '.join(arguments)}: exit {code}\n{out.getvalue()}\n{err.getvalue()}")
    return out.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def decoded(path: Path) -> np.ndarray:
    """Every frame ``(T, H, W, 3)`` uint8 of a video file."""
    import av

    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def thumbnails(frames: np.ndarray) -> np.ndarray:
    import cv2

    return np.stack([cv2.resize(frame, THUMBNAIL_PX, interpolation=cv2.INTER_AREA) for frame in frames])


def record_sample(name: str, folder: Path) -> tuple[dict, np.ndarray]:
    """Hashes of what ``worldgen sample`` writes for a request, and its frames as thumbnails ``(T, h, w, 3)`` uint8."""
    worldgen("sample", *REQUESTS[name], "--out", str(folder), "--threads", "1", "--json")
    frames = decoded(folder / "clip.mp4")
    hashes = {file: sha((folder / file).read_bytes()) for file in ("labels.json", "ego.csv")}
    return {"frames": sha(frames.tobytes()), "shape": list(frames.shape), **hashes}, thumbnails(frames)


def record_losses(folder: Path) -> dict[str, list[float]]:
    """The loss of each of 20 steps of every training task."""
    data = folder / "data"
    worldgen(
        "scenes", "render", "--renderer", "sketch", "--count", "8", "--grid", "weather,light", "--frames", "6",
        "--size", "64x32", "--seed", "11",
        "--workers", "1", "--out", str(data), "--json",
    )  # fmt: skip
    losses = {}
    for name, changes in TASKS.items():
        run = folder / name.replace(", ", "_").replace(" ", "_")
        values = [change.format(runs=folder) for change in changes]
        worldgen("train", f"output={run}", f"data.urls=[{data}]", *TINY, *values)
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        losses[name] = [row["loss"] for row in rows if row.get("kind") == "train"]
        assert len(losses[name]) == 20, (name, rows[:2])
    return losses


def record_set(folder: Path) -> dict[str, str]:
    """Hashes of the members of every sample of a tiny ``generate`` set, accepted or not, by name."""
    recipe = folder / "recipe.yaml"
    folder.mkdir(parents=True)
    recipe.write_text(RECIPE)
    with contextlib.suppress(
        RuntimeError
    ):  # exit 1: a cell may miss its quota, and its clips are compared all the same
        worldgen("generate", "--config", str(recipe), "--json", f"output={folder / 'set'}")
    found = {}
    for tar in sorted((folder / "set").rglob("*.tar")):
        with tarfile.open(tar) as archive:
            for member in archive.getmembers():
                if member.name.endswith((".mp4", ".ego.npy", ".labels.json")):
                    found[member.name] = sha(archive.extractfile(member).read())
    assert found, sorted((folder / "set").rglob("*"))
    return found


def record_parses() -> dict[str, str]:
    """For every prompt of the tests, a hash of all that is understood of it."""
    parses = {}
    for line in PROMPTS.read_text(encoding="utf-8").splitlines():
        prompt = json.loads(line)["prompt"]
        parses[prompt] = sha(worldgen("scenes", "parse", "--json", prompt).encode())
    return parses


def record(folder: Path, only: str = "") -> tuple[dict, dict[str, np.ndarray]]:
    """All traces, or one part of them, and the thumbnails of the requests."""
    if only and only != "samples":
        part = {"losses": record_losses, "set": record_set}.get(only)
        return {"machine": machine(), only: part(folder / only) if part else record_parses()}, {}
    samples, pictures = {}, {}
    for name in REQUESTS:
        samples[name], pictures[name] = record_sample(name, folder / "samples" / name.replace(" ", "_"))
    if only:
        return {"machine": machine(), "samples": samples}, pictures
    traces = {
        "machine": machine(), "samples": samples, "losses": record_losses(folder / "training"),
        "set": record_set(folder / "generate"), "parses": record_parses(),
    }  # fmt: skip
    return traces, pictures


def recorded_thumbnails() -> dict[str, np.ndarray]:
    """The thumbnails ``(T, h, w, 3)`` uint8 of every request as they were recorded."""
    with np.load(THUMBNAILS, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write(traces: dict, pictures: dict[str, np.ndarray]) -> None:
    """Record traces. A part alone replaces that part, on the machine that the others were recorded on.

    Raises: SystemExit for a part on another machine, whose last bits would belong to two machines.
    """
    known = json.loads(TRACES.read_text(encoding="utf-8")) if TRACES.exists() else {}
    if known.keys() - traces.keys() and known["machine"] != traces["machine"]:
        raise SystemExit(f"recorded on {known['machine']}, this is {traces['machine']}: record everything")
    TRACES.write_text(json.dumps({**known, **traces}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if pictures:
        np.savez_compressed(THUMBNAILS, **pictures)


def differences(traces: dict, pictures: dict[str, np.ndarray]) -> list[str]:
    """What differs from the recorded traces, a line each; nothing where all is as recorded."""
    known = json.loads(TRACES.read_text(encoding="utf-8"))
    seen = recorded_thumbnails()
    same_machine = traces["machine"] == known["machine"]
    known = {name: value for name, value in known.items() if name in traces}
    parses = known.get("parses", {})
    found = [f"parse: {prompt!r}" for prompt, value in parses.items() if traces["parses"].get(prompt) != value]
    for name, value in known.get("samples", {}).items():
        found += sample_differences(name, value, traces["samples"][name], same_machine)
        found += picture_differences(name, seen[name], pictures[name])
    for name, values in known.get("losses", {}).items():
        found += loss_differences(name, values, traces["losses"][name], same_machine)
    if same_machine and traces.get("set") != known.get("set"):
        changed = [n for n in sorted({*known["set"], *traces["set"]}) if known["set"].get(n) != traces["set"].get(n)]
        found.append(f"generate: {len(changed)} members differ, first {changed[0]}")
    return found


def sample_differences(name: str, known: dict, now: dict, same_machine: bool) -> list[str]:
    """Labels, ego motion and shape of a request are equal everywhere, frames bit for bit on the recording machine
    only."""
    fields = ["shape", "labels.json", "ego.csv", *(["frames"] if same_machine else [])]
    return [f"sample {name!r}: {field}" for field in fields if known[field] != now[field]]


def picture_differences(name: str, known: np.ndarray, now: np.ndarray) -> list[str]:
    if known.shape != now.shape:
        return [f"sample {name!r}: thumbnails {now.shape}, recorded {known.shape}"]
    away = float(np.abs(known.astype(np.float32) - now).mean(axis=(1, 2, 3)).max())
    return [f"sample {name!r}: a frame is {away:.2f} grey levels away"] if away > PICTURE_TOLERANCE else []


def loss_differences(name: str, known: list[float], now: list[float], same_machine: bool) -> list[str]:
    if same_machine:
        return [] if known == now else [f"loss of {name!r}: {now[:3]} ..., recorded {known[:3]} ..."]
    away = max(abs(a - b) for a, b in zip(known, now, strict=True)) / max(map(abs, known))
    return [f"loss of {name!r}: {away:.1%} away"] if away > LOSS_TOLERANCE else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="record anew instead of comparing")
    parser.add_argument(
        "--only", default="", choices=["samples", "losses", "set", "parses"], help="compare or record one part alone"
    )
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        traces, pictures = record(Path(folder), arguments.only)
    if arguments.write:
        write(traces, pictures)
        return 0
    found = differences(traces, pictures)
    print("\n".join(found) or "all traces are as recorded")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
