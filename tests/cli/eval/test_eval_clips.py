"""What the measure commands share: the command that a result names must give that result again."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys

import pytest

from worldgen.api.measures.measure_attributes import AttributesOptions
from worldgen.api.measures.measure_control import ControlOptions
from worldgen.api.measures.measure_drift import DriftOptions
from worldgen.api.measures.measure_fvd import FvdOptions, changing_fvd_options
from worldgen.api.measures.measure_labels import LabelsOptions
from worldgen.api.measures.measure_memorisation import MemorisationOptions, changing_memorisation_options
from worldgen.api.measures.measure_result import command_line
from worldgen.api.measures.measured_clips import LoadedModel, changing_options, set_threads
from worldgen.cli.eval.eval_clips import options_from
from worldgen.cli.main import build_parser
from worldgen.core.errors import InputError
from worldgen.files.shipped import assets_dir

OUTPUT = ("out", "json", "threads", "batch", "cache", "device", "pictures", "save_features", "command", "measure")
"""Options that change no number."""


def parsed(words: str) -> argparse.Namespace:
    return build_parser("eval").parse_args(shlex.split(words)[1:])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ControlOptions, "control"),
        (ControlOptions, "control --model rendered --clips 7 --frames 30 --seed 3 --start noise --steps 4 --sweep 2"),
        (ControlOptions, "control --data real --split val --clips 9"),
        (LabelsOptions, "labels --detector mine --clips 5"),
        (AttributesOptions, "attributes --model mine"),
        (DriftOptions, "drift --real shippable --window 20"),
        (FvdOptions, "fvd --reference a b --generated c --tag fog --tag night --split test --limit 5 --fps 4 --seed 2"),
        (FvdOptions, "fvd --reference a --generated b --frames 0 --draws 0 --skip 0.5 --position end --weights w.pt"),
        (FvdOptions, "fvd --reference a --model shipped --skip 0 --clips 9 --length 17 --start noise --steps 2"),
        (FvdOptions, "fvd --reference rendered --generated b --clips 9 --length 17"),
        (MemorisationOptions, "memorisation --train a b --held-out rendered --check 3 --clips 9 --length 17"),
        (MemorisationOptions, "memorisation --train a --held-out b --model m --alarm 0.1 --no-features --start sketch"),
        (MemorisationOptions, "memorisation --train a --held-out b --generated c d --weights w --limit 8 --seed 1"),
    ],
)
def test_a_result_names_the_command_that_gives_it_again(kind, words):
    args = parsed(f"worldgen eval {words} --threads 2 --batch 3 --cache x --out y --json")
    changing = {FvdOptions: changing_fvd_options, MemorisationOptions: changing_memorisation_options}
    options = options_from(args, kind)
    again = parsed(command_line(args.measure, options, changing.get(kind, changing_options)(options)))
    for name, value in vars(args).items():
        assert name in OUTPUT or getattr(again, name) == value, name


def test_folders_go_by_their_last_name():
    args = parsed("worldgen eval fvd --reference /home/me/sets/real/ s3://bucket/b --generated rendered")
    options = options_from(args, FvdOptions)
    words = command_line("fvd", options, changing_fvd_options(options))
    assert words.startswith("worldgen eval fvd --reference real b --generated rendered --extractor")


@pytest.mark.parametrize("words", ["control", "control --model shipped", "fvd --reference a --model shipped"])
def test_the_shipped_model_is_called_so_by_every_measure(monkeypatch, words):
    monkeypatch.setattr("worldgen.models.native.loading.load_pipeline", lambda folder: pytest.fail(str(folder)))
    with pytest.raises(pytest.fail.Exception, match=str(assets_dir() / "model")):
        args = parsed(f"worldgen eval {words}")
        LoadedModel.of(options_from(args, FvdOptions if args.measure == "fvd" else ControlOptions))


def test_absurd_threads_are_refused():
    for count in (-1, 2000):
        with pytest.raises(InputError, match="threads"):
            set_threads(count)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("control --frames 16", "frames: received 16; expected 17 to 2000"),
        ("attributes --frames 5", "frames: received 5; expected 6"),
        ("labels --clips 0", "clips: received 0"),
        ("drift --frames 60 --window 40", "window: received 40; expected 17 to half of frames, 30"),
    ],
)
def test_numbers_are_refused_before_any_library_is_loaded(words, expected):
    """Loading the libraries and the instruments takes seconds, on a busy machine twenty."""
    code = (
        f"import sys; from worldgen.cli.main import main; code = main(['eval', *{words.split()!r}]);"
        "print(code, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["2", "False", "False"] and expected in result.stderr
