"""What the measures share: the command that a result names must give that result again."""

from __future__ import annotations

import argparse
import shlex

import pytest

from worldgen.cli.eval import (
    eval_attributes,
    eval_clips,
    eval_control,
    eval_drift,
    eval_fvd,
    eval_labels,
    eval_memorisation,
)
from worldgen.cli.main import build_parser
from worldgen.core.errors import InputError
from worldgen.files.shipped import assets_dir

OUTPUT = ("out", "json", "threads", "batch", "cache", "device", "pictures", "save_features", "command", "measure")
"""Options that change no number."""


def parsed(words: str) -> argparse.Namespace:
    return build_parser("eval").parse_args(shlex.split(words)[1:])


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (eval_control, "control"),
        (eval_control, "control --model rendered --clips 7 --frames 30 --seed 3 --start noise --steps 4 --sweep 2"),
        (eval_control, "control --data real --split val --clips 9"),
        (eval_labels, "labels --detector mine --clips 5"),
        (eval_attributes, "attributes --model mine"),
        (eval_drift, "drift --real shippable --window 20"),
        (eval_fvd, "fvd --reference a b --generated c --tag fog --tag night --split test --limit 5 --fps 4 --seed 2"),
        (eval_fvd, "fvd --reference a --generated b --frames 0 --draws 0 --skip 0.5 --position end --weights w.pt"),
        (eval_fvd, "fvd --reference a --model shipped --skip 0 --clips 9 --length 17 --start noise --steps 2"),
        (eval_fvd, "fvd --reference rendered --generated b --clips 9 --length 17"),
        (eval_memorisation, "memorisation --train a b --held-out rendered --check 3 --clips 9 --length 17"),
        (eval_memorisation, "memorisation --train a --held-out b --model m --alarm 0.1 --no-features --start sketch"),
        (eval_memorisation, "memorisation --train a --held-out b --generated c d --weights w --limit 8 --seed 1"),
    ],
)
def test_a_result_names_the_command_that_gives_it_again(module, words):
    args = parsed(f"worldgen eval {words} --threads 2 --batch 3 --cache x --out y --json")
    names = (eval_clips if not hasattr(module, "changing") else module).changing(args)
    again = parsed(eval_clips.command(args.measure, args, names))
    for name, value in vars(args).items():
        assert name in OUTPUT or getattr(again, name) == value, name


def test_folders_go_by_their_last_name():
    args = parsed("worldgen eval fvd --reference /home/me/sets/real/ s3://bucket/b --generated rendered")
    words = eval_clips.command("fvd", args, eval_fvd.changing(args))
    assert words.startswith("worldgen eval fvd --reference real b --generated rendered --extractor")


@pytest.mark.parametrize("words", ["control", "control --model shipped", "fvd --reference a --model shipped"])
def test_the_shipped_model_is_called_so_by_every_measure(monkeypatch, words):
    monkeypatch.setattr("worldgen.generation.sample.sampler.load_pipeline", lambda folder: pytest.fail(str(folder)))
    with pytest.raises(pytest.fail.Exception, match=str(assets_dir() / "model")):
        eval_clips.load_sampler(parsed(f"worldgen eval {words}"))


def test_absurd_threads_are_refused():
    for count in (-1, 2000):
        with pytest.raises(InputError, match="--threads"):
            eval_clips.set_threads(count)
