"""Ends writing commands by SIGINT, SIGTERM and SIGKILL at random moments, and looks at what they leave.

    python -m tests.fuzz.signals [--signals 15] [--out benchmarks/results/signals.json] [COMMAND ...]

Every session is a process of its own, forked from this one so that libraries load once, that runs the real command
line; the models are real pipelines at tiny size. After SIGINT and SIGTERM nothing may be left but finished files; after
SIGKILL the next session removes what is left. No published file may ever differ from that of an undisturbed run, and a
run that is resumed until it ends must give the same files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
EXITS = {signal.SIGINT: (0, 130), signal.SIGTERM: (0, 143), signal.SIGKILL: (0, -signal.SIGKILL)}
"""Signal -> exit codes that are right; 0 when the command was faster."""
MUTABLE = (
    "lock.json",
    "run.json",
    "generate.json",
    "restyle.json",
    "ingest.json",
    "ledger.json",
    "meta.json",
    "metrics.jsonl",
)
"""Files that hold times of the run, or change while it goes on."""
MUTABLE_FOLDERS = ("jobs", "report", "checkpoints")
ORPHAN_S = 20.0
"""Seconds in which the processes that a command started must have ended after it."""
OUT = "out"


@dataclass(frozen=True)
class WritingCommand:
    """A command that writes ``out``. resumes: whether the next session goes on with what the last one left, instead of
    beginning anew. prepare: fills ``out`` before the first session, for commands that write into an existing folder.
    saves: it saves its state after SIGTERM too, and then ends with 130.
    """

    arguments: tuple[str, ...]
    resumes: bool = False
    prepare: Callable[[Path], None] | None = None
    saves: bool = False


@dataclass
class Findings:
    """What the sessions of a command showed. problems: anything that must not be."""

    signals: Counter[str] = field(default_factory=Counter)
    exits: Counter[str] = field(default_factory=Counter)
    progressed: int = 0
    completed: int = 0
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict:
        return {
            "signals": dict(self.signals), "exits": dict(self.exits), "left_something_to_resume": self.progressed,
            "completed_between_signals": self.completed, "problems": self.problems,
        }  # fmt: skip


def start(folder: Path, arguments: tuple[str, ...]) -> int:
    """Run a command in a forked process with ``folder`` as its current one; returns the process id, also of its group.

    Its output goes to ``log.txt`` beside the folder. Returns once the command has begun.
    """
    ready, tell = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return pid
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        log = os.open(folder.parent / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        from worldgen.cli.main import main

        os.write(tell, b"1")
        code = main(list(arguments))
    except KeyboardInterrupt:  # the signal came before the command could handle it
        code = 130
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a session; returns its exit code, negative for the signal that ended it."""
    _, status = os.waitpid(pid, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def orphans(group: int) -> bool:
    """Whether processes of a session outlive it; they are then ended."""
    limit_s = time.monotonic() + ORPHAN_S
    while time.monotonic() < limit_s:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return True


def leftovers(folder: Path) -> dict[str, float]:
    """Temporary files and locks below a folder, and when each was last changed."""
    names = {path.relative_to(folder).as_posix(): path.lstat().st_mtime for path in sorted(folder.rglob("*"))}
    unfinished = (".tmp", ".old", "lock.json")
    return {n: when for n, when in names.items() if n.endswith(unfinished) or n.rsplit("/", 1)[-1].startswith(".")}


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of each finished file that does not hold times, by its name."""
    out = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        mutable = name.name in MUTABLE or set(name.parts[:-1]) & set(MUTABLE_FOLDERS)
        if path.is_file() and not hidden and not mutable:
            out[name.as_posix()] = path.read_bytes()
    return out


def half_files(folder: Path, whole: dict[str, bytes]) -> list[str]:
    """Files that differ from those of an undisturbed run, and JSON that cannot be read."""
    found = [name for name, data in files_of(folder).items() if name in whole and data != whole[name]]
    for path in folder.rglob("*.json"):
        if not path.name.startswith("."):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                found.append(path.relative_to(folder).as_posix())
    return found


def run(name: str, command: WritingCommand, base: Path, *, signals: int, seed: int) -> Findings:
    """Send ``signals`` signals to sessions of a command, then let it end."""
    findings, rng = Findings(), random.Random(f"{name} {seed}")

    def fresh(folder: Path) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if command.prepare is not None:
            command.prepare(folder / OUT)
        return folder

    alone = fresh(base / name / "alone")
    start_s = time.monotonic()
    code = ended(start(alone, command.arguments))
    whole_s = time.monotonic() - start_s
    log = base / name / "log.txt"
    assert code == 0, f"{name}: exit {code} undisturbed\n{log.read_text()}"
    whole, work = files_of(alone / OUT), fresh(base / name / "work")
    begun_with = len(whole) if command.prepare is not None else 0

    def note(problem: str) -> None:
        findings.problems.append(f"signal {number}: {problem}")

    for number in range(signals):
        which = SIGNALS[number % len(SIGNALS)]
        before = leftovers(work).items()  # of a session that was killed
        pid = start(work, command.arguments)
        time.sleep(rng.uniform(0, whole_s))
        os.kill(pid, which)
        code = ended(pid)
        findings.signals[which.name] += 1
        findings.exits[str(code)] += 1
        if orphans(pid):
            note("a process outlived the command")
        if code not in EXITS[which] and not (command.saves and code == 130):
            note(f"exit {code} after {which.name}: {log.read_text()[-300:]}")
        if which is not signal.SIGKILL and "Traceback" in log.read_text():
            note(f"traceback after {which.name}: {log.read_text()[-600:]}")
        if which is not signal.SIGKILL and (left := leftovers(work).items() - before):
            note(f"left after {which.name}: {sorted(left)[:5]}")
        if broken := half_files(work / OUT, whole):
            note(f"half files after {which.name}: {broken[:5]}")
        if not command.resumes and (work / OUT).exists() and set(files_of(work / OUT)) != set(whole):
            note(f"half a folder after {which.name}")
        findings.progressed += len(files_of(work / OUT)) > begun_with
        if code == 0 or (not command.resumes and (work / OUT).exists()):
            if files_of(work / OUT) != whole:
                note("another result of a finished run")
            findings.completed += 1
            fresh(work)
    number = signals
    code = ended(start(work, command.arguments))
    if code != 0:
        note(f"the run that should end gave exit {code}: {log.read_text()[-300:]}")
    if left := leftovers(work):
        note(f"left at the end: {list(left)[:5]}")
    last = files_of(work / OUT)
    if last != whole:
        note(f"another result: {sorted(k for k in {*last, *whole} if last.get(k) != whole.get(k))[:5]}")
    return findings


RECIPE = """
name: signals
cells:
  - {{count: 4, weather: [clear], light: [day], road: [rural], manoeuvre: [keep]}}
  - {{count: 3, weather: [fog], light: [night_lit], road: [rural], manoeuvre: [keep]}}
clip: {{frames: 3, width_px: 48, height_px: 32}}
model: {{pipeline: {model}, start: noise, steps: 1, batch: 2}}
scorer: {{verifier: "", detector: "", attributes: "", motion: "", training: ""}}
gate: {{bounds: {{blank: {{high: 1.0}}}}}}
work: {{attempts: 2, retry_wait_s: 0.1}}
shard_size: 2
"""
RESTYLE = """
model: {{pipeline: {model}, steps: 1, start: noise}}
scorer: {{verifier: "", detector: "", attributes: "", motion: "", training: ""}}
gate: {{bounds: {{blank: {{high: 1.0}}}}}}
shard_size: 2
"""


def commands(inputs: Path) -> dict[str, WritingCommand]:
    """The commands that write, with their inputs made in a folder."""
    from tests.data.drives import make_video
    from tests.data.samples import make_sample
    from tests.models.build import noisy_weights
    from worldgen.data.dataset.index import build_index
    from worldgen.data.dataset.shards import ShardWriter
    from worldgen.models.native.sizes import build_pipeline

    pipeline = build_pipeline("tiny", words=["a car in fog at night in rain"])
    noisy_weights(pipeline.transformer, 0.05)
    model = inputs / "model"
    pipeline.save_pretrained(model)
    (inputs / "recipe.yaml").write_text(RECIPE.format(model=model))
    (inputs / "restyle.yaml").write_text(RESTYLE.format(model=model))
    labelled = str(inputs / "set")
    with ShardWriter(labelled, "s0") as writer:
        for i in range(6):
            writer.write(make_sample(f"k{i}", 2 * i, drive=f"d{i}"))
    build_index(labelled)
    make_video(inputs / "drives" / "a.mp4", 60)
    sample = ("sample", "--model", str(model), "--steps", "1", "--frames", "4", "--size", "64x32", "--out", OUT)
    small = ("--frames", "3", "--size", "64x32", "--out", OUT)
    restyle = ("restyle", labelled, "--to", "fog", "--out", OUT, "--strength", "0.5")
    train = (
        "train", "task=codec", f"data.urls=[{labelled}]", f"output={OUT}", "device=cpu", "seed=3", "steps=30",
        "batch=2", "save_every=5", "validate_every=0", "data.num_frames=3", "data.width_px=64", "data.height_px=32",
    )  # fmt: skip
    return {
        "sample": WritingCommand((*sample, "--prompt", "a car in fog")),
        "restyle": WritingCommand((*restyle, "--config", str(inputs / "restyle.yaml")), resumes=True),
        "generate": WritingCommand(
            ("generate", "--config", str(inputs / "recipe.yaml"), f"output={OUT}"), resumes=True
        ),
        "scenes render": WritingCommand(("scenes", "render", "--prompt", "a car", *small)),
        "scenes render --count": WritingCommand(
            ("scenes", "render", "--count", "8", "--shard-size", "1", *small), resumes=True
        ),
        "ingest": WritingCommand(
            ("ingest", str(inputs / "drives"), "--out", OUT, "fps=10", "num_frames=5", "stride_frames=1",
             "samples_per_shard=3"), resumes=True,
        ),
        "data view": WritingCommand(("data", "view", labelled, "--out", OUT)),
        "data export": WritingCommand(("data", "export", labelled, "--format", "coco", "--out", OUT)),
        "data index": WritingCommand(
            ("data", "index", OUT), resumes=True, prepare=lambda folder: _without_index(Path(labelled), folder)
        ),
        "train": WritingCommand(train, resumes=True, saves=True),
    }  # fmt: skip


def _without_index(labelled: Path, folder: Path) -> None:
    shutil.copytree(labelled, folder, ignore=shutil.ignore_patterns("index.parquet", "dataset.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="COMMAND", help="only these (default: all)")
    parser.add_argument("--signals", type=int, default=15, help="signals to each command (default 15)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="", help="where to write the result (default: only print it)")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    record: dict = {"signals": 0, "problems": 0, "commands": {}}
    with tempfile.TemporaryDirectory(prefix="worldgen-signals-") as folder:
        base = Path(folder).resolve()
        chosen = commands(base / "inputs")
        for name in args.names or chosen:
            found = run(name, chosen[name], base, signals=args.signals, seed=args.seed)
            record["commands"][name] = found.to_json()
            record["signals"] += found.signals.total()
            record["problems"] += len(found.problems)
            print(name, json.dumps(record["commands"][name]), flush=True)
    if args.out:
        Path(args.out).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    raise SystemExit(1 if record["problems"] else 0)


if __name__ == "__main__":
    main()
