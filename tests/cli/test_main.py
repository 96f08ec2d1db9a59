from __future__ import annotations

import argparse
import errno
import importlib
import json
import subprocess
import sys
import time

import pytest

import worldgen
from worldgen.cli import main as main_module
from worldgen.cli.argument_parser import Parser
from worldgen.cli.main import COMMANDS, build_parser, main
from worldgen.core.errors import InputError


def _command(monkeypatch, run):
    """A command named ``probe`` that does what a test wants."""
    module = type(sys)("probe_command")
    module.__doc__ = "A command for tests."
    module.add_arguments = lambda parser: (
        parser.add_argument("--prompt"),
        parser.add_argument("--steps", type=int),
        parser.add_argument("overrides", nargs="*", default=[]),
    )
    module.run = run
    monkeypatch.setitem(sys.modules, "probe_command", module)
    monkeypatch.setattr(main_module, "COMMANDS", {**COMMANDS, "probe": ("probe_command", "for tests")})


def test_every_listed_command_is_complete():
    for name, (module_name, line) in COMMANDS.items():
        module = importlib.import_module(module_name)
        assert callable(module.add_arguments) and callable(module.run), name
        assert len((module.__doc__ or "").strip()) > 20, f"{name} has no description for its --help"
        assert 10 < len(line) < 100, name


def _leaves(parser, words):
    """Every parser below ``parser`` with the words that lead to it, itself included."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from _leaves(inner, [*words, word])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_explains_every_option(name, capsys):
    top = build_parser(name)._subparsers._group_actions[0].choices[name]
    for words, parser in _leaves(top, [name]):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--help"])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        assert "worldgen " + " ".join(words) in text and len(parser.description or "") > 20, words
        for action in parser._actions:
            if action.help is not argparse.SUPPRESS:
                assert action.help or isinstance(action, argparse._SubParsersAction), (words, action)
                assert all(option in text for option in action.option_strings)


def test_top_help_lists_the_commands_and_version_prints(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())  # argparse wraps to the width of the terminal
    assert stop.value.code == 0 and all(name in text and line in text for name, (_, line) in COMMANDS.items())
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"worldgen {worldgen.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom worldgen.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'cv2', 'av', 'diffusers', 'omegaconf', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_is_fast(run_worldgen):
    times_s = []
    for _ in range(5):
        start_s = time.perf_counter()
        assert run_worldgen("--help").returncode == 0
        times_s.append(time.perf_counter() - start_s)
    assert min(times_s) < 0.5  # the least of several: a busy machine slows any single run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "no command given"),
        (["infoo"], "did you mean info?"),
        (["nonsense"], "expected one of"),
        (["info", "--jsn"], "did you mean --json?"),
        (["info", "surplus"], "unknown argument 'surplus'"),
        (["info", "--js"], "did you mean --json?"),
        (["info", "--model"], "expected one argument"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(arguments, expected, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    text = capsys.readouterr()
    assert stop.value.code == 2 and text.out == ""
    assert text.err.startswith("worldgen: error: ") and text.err.count("\n") == 1 and expected in text.err
    assert "--help" in text.err


def test_choices_name_the_nearest(capsys):
    parser = Parser(prog="worldgen export")
    parser.add_argument("--format", choices=["coco", "kitti", "yolo"])
    with pytest.raises(SystemExit):
        parser.parse_args(["--format", "coca"])
    text = capsys.readouterr().err
    assert "'coca'" in text and "(did you mean coco?)" in text and "--format" in text


def test_overrides_may_stand_anywhere(monkeypatch):
    seen = {}
    _command(monkeypatch, lambda args: seen.update(vars(args)))
    assert main(["probe", "a.b=1", "--prompt", "x=y", "c=2", "--steps", "3", "d=[1,2]"]) == 0
    assert sorted(seen["overrides"]) == ["a.b=1", "c=2", "d=[1,2]"] and seen["prompt"] == "x=y"


def test_user_error_is_one_line_and_exit_2(monkeypatch, capsys):
    def refuse(_):
        raise InputError("speed", "fast\nvery", "metres per second")

    _command(monkeypatch, refuse)
    assert main(["probe"]) == 2
    assert capsys.readouterr().err == "worldgen: error: speed: received 'fast\\nvery'; expected metres per second\n"


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, "no space left on the device"), (errno.EACCES, "permission denied")]
)
def test_disk_errors_are_one_line(monkeypatch, capsys, number, expected):
    def fail(_):
        raise OSError(number, "os text", "some/file")

    _command(monkeypatch, fail)
    assert main(["probe"]) == 2
    text = capsys.readouterr().err
    assert expected in text and "some/file" in text and text.count("\n") == 1


def test_defects_keep_their_traceback(monkeypatch):
    def defect(_):
        raise OSError(errno.EBADF, "bad file descriptor")

    _command(monkeypatch, defect)
    with pytest.raises(OSError, match="bad file descriptor"):
        main(["probe"])


def test_interrupt_is_130_and_codes_pass_through(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    _command(monkeypatch, interrupt)
    assert main(["probe"]) == 130
    assert "Traceback" not in capsys.readouterr().err
    _command(monkeypatch, lambda _: 1)
    assert main(["probe"]) == 1


def test_a_closed_pipe_is_quiet():
    code = (
        "import sys\nfrom worldgen.cli import main as m\n"
        "import types\nc = types.ModuleType('probe_command')\nc.add_arguments = lambda p: None\n"
        "def run(args):\n    for i in range(100000): print('a line of output', i)\nc.run = run\n"
        "sys.modules['probe_command'] = c\nm.COMMANDS['probe'] = ('probe_command', 'x')\nsys.exit(m.main(['probe']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("a line")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


def test_info_json_states_versions_devices_models(run_worldgen):
    done = run_worldgen("info", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["versions"]["worldgen"] == worldgen.__version__ and record["devices"][0]["device"] == "cpu"
    for model in record["models"]:
        assert set(model["accepts"]) <= {"context", "text", "ego", "layout"} and model["accepts"]
        assert model["megabytes"] > 0
    lines = run_worldgen("info")
    assert lines.returncode == 0 and "versions" in lines.stdout and "devices" in lines.stdout


def test_info_refuses_a_folder_that_is_no_model(tmp_path, capsys):
    assert main(["info", "--model", str(tmp_path)]) == 2
    assert "model_index.json" in capsys.readouterr().err


def test_arguments_that_are_not_utf8_are_one_line(capsys):
    assert main(["scenes", "parse", b"\xff\xfe".decode("utf-8", "surrogateescape")]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and "text in UTF-8" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scenes", "render", "--prompt", "rain", "--size", "\u00b2x\u00b3"], "--size"),
        (["scenes", "render", "--prompt", "rain", "--size", "9" * 20_000], "--size"),
        (["scenes", "render", "--prompt", "rain", "--count", "0"], "--count"),
        (["scenes", "render", "--prompt", "xyzzy frobnicate"], "none of these was understood"),
        (["scenes", "render", "--prompt=-3 cars"], "number of agents"),
        (["data", "inspect", "github://a/b"], "URL"),
        (["data", "inspect", "no-such-scheme://a/b"], "URL"),
    ],
)
def test_odd_arguments_are_one_line_and_leave_nothing(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and words in error and len(error) < 2000
    assert not list(tmp_path.iterdir())
