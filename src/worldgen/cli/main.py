"""The ``worldgen`` command: finds the command's module, runs it, and turns user errors into one line."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

import worldgen
from worldgen.cli.argument_parser import EXIT_USER_ERROR, Parser
from worldgen.cli.startup import limit_spinning, spare_collections
from worldgen.cli.termination import Terminated, terminable
from worldgen.core.errors import InputError, Received
from worldgen.files.system_errors import disk_error

COMMANDS: dict[str, tuple[str, str]] = {
    "sample": ("worldgen.cli.sample", "one prompt to one labelled clip, optionally continuing a real one"),
    "generate": ("worldgen.cli.generate", "recipe with quotas to a labelled, checked data set; local or Ray; resumes"),
    "restyle": ("worldgen.cli.restyle", "labelled clips to the same clips under other weather or light, labels kept"),
    "insert": ("worldgen.cli.insert.insert_command", "rare road users put into labelled pictures; resumes"),
    "cutouts": ("worldgen.cli.insert.cutouts", "objects cut from labelled pictures and pasted into others"),
    "ingest": ("worldgen.cli.ingest", "your own clips and ego logs to a sharded data set"),
    "data": ("worldgen.cli.data", "inspect, validate, index, view or export a data set"),
    "scenes": ("worldgen.cli.scenes", "words to scenario, scene, labels and a rendered clip, without a network"),
    "train": ("worldgen.cli.train", "train or fine-tune a world model; resumes"),
    "eval": ("worldgen.cli.eval.eval_command", "measure clips: distance to real clips, control, drift, copies, gain"),
    "info": ("worldgen.cli.info", "versions, devices, models found and the conditions each accepts"),
}  # fmt: skip
"""Name -> module and one-line help. A module has ``add_arguments(parser)`` and ``run(args) -> int``."""

EXIT_INTERRUPTED = 130  # 128 + SIGINT, what a shell reports
EXIT_TERMINATED = 143  # 128 + SIGTERM
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, what other tools report when the reader of a pipe leaves


def build_parser(command: str | None = None) -> Parser:
    """The parser of the whole program, with the options of ``command`` only (None: of every command).

    Naming one command keeps the start free of the other commands' modules.
    """
    parser = Parser(
        prog="worldgen",
        description="Rare driving scenes as verified, labelled, trainable video.",
        epilog="'worldgen COMMAND --help' explains a command and shows examples.",
    )
    parser.add_argument("--version", action="version", version=f"worldgen {worldgen.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name, (module_name, line) in COMMANDS.items():
        module = _load(module_name) if command in (None, name) else None
        description = (module.__doc__ or "").strip() if module else line
        subparser = commands.add_parser(name, help=line, description=description)
        if module:
            module.add_arguments(subparser)
    return parser


def _load(module_name: str) -> ModuleType:
    return importlib.import_module(module_name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 the command's own "no", 2 user error, 130 interrupted,
    143 terminated.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    limit_spinning()
    try:
        try:
            with terminable():
                code = _run(argv)
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
    except Terminated:
        print("\nworldgen: terminated", file=sys.stderr)
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        print("\nworldgen: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; point stdout at nothing so that the interpreter's last flush is quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _run(argv: list[str]) -> int:
    for word in argv:
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise InputError("argument", Received(ascii(word)), "text in UTF-8")
    command = next((word for word in argv if not word.startswith("-")), "")
    args = build_parser(command).parse_args(argv)
    spare_collections(args.command)
    return int(_load(COMMANDS[args.command][0]).run(args) or 0)


def command_line() -> int:
    """:func:`main` for a process that ends with it: a signal that comes after the command is ignored.

    Python would answer one during its own end with a traceback.
    """
    try:
        code = main()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:  # between the command and the lines above
        code = EXIT_INTERRUPTED
    return code


if __name__ == "__main__":
    raise SystemExit(command_line())
