"""The ``worldgen`` command: finds the command's module, runs it, and turns user errors into one line."""

from __future__ import annotations

import argparse
import atexit
import difflib
import gc
import importlib
import os
import re
import sys
from collections.abc import Sequence
from types import ModuleType

import worldgen
from worldgen.core.errors import InputError
from worldgen.files.system_errors import disk_error

COMMANDS: dict[str, tuple[str, str]] = {
    "sample": ("worldgen.cli.sample", "one prompt to one labelled clip, optionally continuing a real one"),
    "generate": ("worldgen.cli.generate", "a recipe with quotas to a labelled, checked data set; local or Ray; resumes"),
    "restyle": ("worldgen.cli.restyle", "labelled clips to the same clips under other weather or light, labels kept"),
    "ingest": ("worldgen.cli.ingest", "your own clips and ego logs to a sharded data set"),
    "data": ("worldgen.cli.data", "inspect, validate, index, view or export a data set"),
    "scenes": ("worldgen.cli.scenes", "words to scenario, scene, labels and a rendered clip, without a network"),
    "train": ("worldgen.cli.train", "train or fine-tune a world model; resumes"),
    "eval": ("worldgen.cli.eval.eval_command", "measure clips: distance to real ones, obedience, drift, copies, use to a detector"),
    "info": ("worldgen.cli.info", "versions, devices, models found and what each honours"),
}
"""Name -> module and one-line help. A module has ``add_arguments(parser)`` and ``run(args) -> int``."""

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, what a shell reports
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, what other tools report when the reader of a pipe leaves

SPINS = "20000"
"""Turns for which a waiting thread of PyTorch looks again before it sleeps (libgomp's GOMP_SPINCOUNT): some microseconds. By
default threads spin for milliseconds, which is free on idle cores; where loaders, workers or other programs need the cores, spinning
takes them away: three processes on two cores encoded clips at 0.4 of the speed."""

BRIEF = ("sample", "info", "scenes", "data")
"""Commands over in seconds. Loading PyTorch and diffusers makes some millions of objects that all stay; looking among them for
garbage every few hundred objects takes a good part of the time of loading, and of that of leaving."""

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, name the nearest known word and point to the right help.

    ``key=value`` arguments may stand anywhere among the options of a command that has ``overrides``.
    """

    def __init__(self, *args, **kwargs) -> None:  # argparse calls this with its own keywords for sub-commands
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        # An abbreviation that works today becomes ambiguous, or another option, when options are added.
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> None:  # type: ignore[override]
        """Exit 2 with one line: what is wrong, the nearest known word, where to read more."""
        choice = re.search(r"invalid choice: '?([^'\s(]+)'? \(choose from (.*)\)", message)
        if choice:
            known = [word.strip(" '\"") for word in choice.group(2).split(",")]
            received = choice.group(1)
            what = "command" if "COMMAND" in message else message.split(":", maxsplit=1)[0]
            message = f"{what}: received {received!r}; expected one of {', '.join(known)}{_nearest(received, known)}"
        elif "required: COMMAND" in message:
            message = "no command given"
        self.exit(EXIT_USER_ERROR, f"worldgen: error: {' '.join(message.split())} (see {self.prog} --help)\n")

    def parse_known_args(self, args=None, namespace=None):
        """As argparse, but leftovers end here, in the parser that knows the options nearest to them."""
        namespace, extras = super().parse_known_args(args, namespace)
        if hasattr(namespace, "overrides"):
            namespace.overrides = [*namespace.overrides, *(word for word in extras if _OVERRIDE.match(word))]
            extras = [word for word in extras if not _OVERRIDE.match(word)]
        if extras:
            received = extras[0].split("=")[0]
            options = [option for option in self._option_string_actions if option.startswith("--")]
            hint = _nearest(received, options) if received.startswith("-") else ""
            self.error(f"unknown {'option' if received.startswith('-') else 'argument'} {received!r}{hint}")
        return namespace, extras


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def build_parser(command: str | None = None) -> Parser:
    """The parser of the whole program, with the options of ``command`` only (None: of every command).

    Naming one command keeps start-up free of the other commands' modules.
    """
    parser = Parser(
        prog="worldgen",
        description="Rare driving scenes as verified, labelled, trainable video.",
        epilog="'worldgen COMMAND --help' explains a command and shows examples.",
    )
    parser.add_argument("--version", action="version", version=f"worldgen {worldgen.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name, (module_name, line) in COMMANDS.items():
        wanted = command in (None, name)
        module = _load(module_name) if wanted else None
        description = (module.__doc__ or "").strip() if module else line
        subparser = commands.add_parser(name, help=line, description=description)
        if module:
            module.add_arguments(subparser)
    return parser


def _load(module_name: str) -> ModuleType:
    return importlib.import_module(module_name)


def _spare_collections(command: str) -> None:
    """Look for garbage rarely where a command is brief, and not at all when the process ends. Long commands keep Python's pace:
    a cycle that holds tensors must not wait."""
    if command in BRIEF:
        gc.set_threshold(50_000)
    atexit.register(gc.freeze)  # the end of the process frees everything at once


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 the command's own "no", 2 user error, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read when PyTorch is loaded, which is later
    try:
        command = next((word for word in argv if not word.startswith("-")), "")
        try:
            args = build_parser(command).parse_args(argv)
            _spare_collections(args.command)
            code = int(_load(COMMANDS[args.command][0]).run(args) or 0)
        except OSError as error:
            # A full or read-only disk is the user's to mend wherever it strikes; other OSErrors are defects.
            as_input_error = disk_error(error)
            if as_input_error is None:
                raise
            raise as_input_error from error
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"worldgen: error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("\nworldgen: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; point stdout at nothing so that the interpreter's last flush is quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


if __name__ == "__main__":
    raise SystemExit(main())
