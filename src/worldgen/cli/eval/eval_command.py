"""Measure clips: how far from real ones, how well they obey, how they drift, whether they copy, whether they help.

Each result names what was compared, the number of clips and an interval; 'worldgen eval MEASURE --help' explains one
measure. eval/PROTOCOL.md says which result would refute each claim."""

from __future__ import annotations

import argparse
import importlib

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "fvd": ("worldgen.cli.eval.eval_fvd", "Fréchet distance to real clips, with a card of everything that changes it"),
    "memorisation": ("worldgen.cli.eval.eval_memorisation", "whether clips are copies of training clips"),
    "control": ("worldgen.cli.eval.eval_control", "does a clip move as commanded: speed and yaw rate from the pixels"),
    "attributes": ("worldgen.cli.eval.eval_attributes", "does a clip show the weather, light and road users asked for"),
    "labels": ("worldgen.cli.eval.eval_labels", "do the pixels show the objects that the labels say, where they say"),
    "realism": ("worldgen.cli.eval.eval_realism", "do detectors of the real world recognise what clips show"),
    "misses": ("worldgen.cli.eval.eval_misses", "which labelled objects a detector misses, as quotas of inserts"),
    "drift": ("worldgen.cli.eval.eval_drift", "what a long rollout loses, and at which frame"),
    "power": ("worldgen.cli.eval.eval_power", "what a gain study can detect with a test set, before it runs"),
    "gain": ("worldgen.cli.eval.eval_gain", "does generated data help a detector: equal training, paired intervals"),
}
"""Name -> module and one-line help. A module has ``add_arguments(parser)`` and ``run(args) -> int``, imports only the
standard library at its start, and its docstring is the description in ``--help``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``worldgen eval``."""
    commands = parser.add_subparsers(dest="measure", metavar="MEASURE", required=True, title="measures")
    for name, (module_name, line) in SUBCOMMANDS.items():
        module = importlib.import_module(module_name)
        measure = commands.add_parser(name, help=line, description=(module.__doc__ or line).strip())
        module.add_arguments(measure)


def run(args: argparse.Namespace) -> int:
    """Run the measure that the arguments name; numbers are checked before its libraries, which take seconds to load."""
    from worldgen.api.measures.clip_numbers import LEAST_FRAMES, check_clip_numbers, check_window

    if args.measure in LEAST_FRAMES:
        check_clip_numbers(args.measure, clips=args.clips, frames=args.frames, start=args.start)
        if args.measure == "drift":
            check_window(args.window, args.frames)
    return int(importlib.import_module(SUBCOMMANDS[args.measure][0]).run(args) or 0)
