"""Train or fine-tune a world model, or its codec. The same command continues an interrupted run exactly.

  worldgen train --config configs/train/codec.yaml data.urls=[data/mine]
  worldgen train --config configs/train/finetune_lora.yaml data.urls=[data/fleet] output=runs/fleet
  worldgen train --config configs/train/world.yaml data.urls=[data/mine] init.codec=runs/codec/model --overfit-one
  worldgen train --config configs/train/world.yaml data.urls=[data/mine] init.codec=runs/codec/model --prepare-only
  worldgen train --config configs/train/wan_vace_lora.yaml data.urls=[data/fleet] output=runs/wan_fleet
  worldgen train merge --adapter runs/wan_fleet/adapter --out models/wan_fleet
  accelerate launch --multi_gpu --num_processes 2 -m worldgen train --config configs/train/world.yaml \\
      data.urls=[data/mine]

(--multi_gpu also starts several processes on CPUs.)

The output folder holds checkpoints/, metrics.jsonl, config.yaml, run.json, sheets/ and, at the end, model/ or adapter/.

merge writes the model of an adapter with the adapter merged into its weights; --model names the base where it lies
elsewhere now.

Before step 1, a run prepares: it pretrains a text encoder, encodes the clips and generates histories by rollouts, each
where the config asks for it. --prepare-only stops there. The same command without it continues from there.

Exit codes: 0 finished, 1 the run failed its own rules (loss not finite, adapter without effect, set-up broken), 2 bad
input, 130 interrupted with its state saved.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worldgen.cli.terminal import log_line, progress
from worldgen.core.errors import InputError
from worldgen.core.progress import no_log, no_progress

if TYPE_CHECKING:
    from worldgen.training.launch import Launch
    from worldgen.training.train_config import TrainConfig

MERGE = "merge"
"""The word in place of config values that merges an adapter."""
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen train``."""
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help="YAML file; later ones win")
    parser.add_argument(
        "--overfit-one", action="store_true",
        help="train on one fixed batch; exit 1 unless its loss falls as far as overfit_loss or overfit_fraction say",
    )  # fmt: skip
    parser.add_argument(
        "--prepare-only", action="store_true", help="do what comes before step 1, say where it is, and stop"
    )
    parser.add_argument("--show-config", action="store_true", help="print the resolved config and stop")
    merge = parser.add_argument_group("worldgen train merge")
    merge.add_argument("--adapter", default="", metavar="DIR", help="folder of the adapter to merge")
    merge.add_argument("--out", default="", metavar="DIR", help="new folder of the merged model")
    merge.add_argument("--model", default="", metavar="MODEL", help="the base model; default: the one it states")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object on stdout")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="config values, e.g. optim.lr=1e-4"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or merge. Returns the exit code."""
    if args.overrides[:1] == [MERGE]:
        return _merge(args)
    for name in ("adapter", "out", "model"):
        if getattr(args, name):
            raise InputError(f"--{name}", getattr(args, name), f"none without {MERGE}: worldgen train {MERGE} ...")
    # Loader processes are forked after the tokenizer was used; its threads would warn about it.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from worldgen.files.config_files import config_yaml, load_config
    from worldgen.training.train_config import TrainConfig

    overrides = [*args.overrides, *(["overfit_one=true"] if args.overfit_one else [])]
    config = load_config(TrainConfig, args.config, overrides)
    if args.show_config:
        print(config_yaml(config), end="")
        return 0
    from worldgen.training.launch import Launch

    # Only the first of several processes prints.
    log, shown = (log_line, progress) if _is_main() else (no_log, no_progress)
    command = shlex.join(["worldgen", *sys.argv[1:]])
    with _stop_on_signals() as stop:
        launch = Launch(command, config_yaml(config), log, shown, stop.is_set)
        return _prepare(config, launch, args) if args.prepare_only else _train(config, launch, args)


def _train(config: TrainConfig, launch: Launch, args: argparse.Namespace) -> int:
    from worldgen.training.loop.optimisation import TrainingError
    from worldgen.training.run import train

    try:
        outcome = train(config, launch=launch)
    except TrainingError as error:
        launch.log(f"worldgen: failed: {error}")
        return EXIT_FAILED
    launch.log(outcome.line)
    if args.json and _is_main():
        print(json.dumps({"finished": outcome.finished, "step": outcome.step, "output": config.output}))
    return 0 if outcome.finished else EXIT_INTERRUPTED


def _prepare(config: TrainConfig, launch: Launch, args: argparse.Namespace) -> int:
    from worldgen.training.run import prepare

    kept = prepare(config, launch=launch)
    for name, path in kept.items():
        launch.log(f"prepared: {name.replace('_', ' ')} in {path}")
    launch.log("prepared; the same command without --prepare-only trains" if kept else "nothing to prepare")
    if args.json and _is_main():
        print(json.dumps({"prepared": {name: str(path) for name, path in kept.items()}, "output": config.output}))
    return 0


def _merge(args: argparse.Namespace) -> int:
    if args.overrides != [MERGE] or args.config:
        words = " ".join([*args.overrides[1:], *args.config])
        raise InputError(f"worldgen train {MERGE}", words, "--adapter, --out and --model only")
    from worldgen.api.train_model import merge

    rest = merge(args.adapter, args.out, model=args.model)
    log_line(f"merged: {args.adapter} into {args.out}")
    if rest is not None:
        log_line(f"ego motion stays an adapter, {rest}: worldgen sample --model {args.out} --adapter {rest}")
    if args.json:
        print(json.dumps({"model": args.out, "adapter": None if rest is None else str(rest)}))
    return 0


def _is_main() -> bool:
    """Whether this is the first of several processes, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal interrupts at once."""
    event = threading.Event()

    def ask(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()
        log_line("stopping after this step or clip (again to stop at once, without saving)")

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
