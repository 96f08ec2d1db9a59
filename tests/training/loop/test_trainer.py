"""The loop: exact resume, loud failures, what a run leaves behind."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import shutil
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

from tests.training.toy import ToyItems, ToyTask, toy_config, toy_stages
from worldgen.core.errors import InputError
from worldgen.training.launch import Launch
from worldgen.training.loop.checkpoints import TrainingProgress, checkpoints
from worldgen.training.loop.optimisation import TrainingError
from worldgen.training.loop.record import read_metrics
from worldgen.training.loop.timing import StepTimer
from worldgen.training.run import train


def run(config, task=None, **launch_options):
    lines: list[str] = []
    launch = Launch("worldgen train", log=lines.append, **launch_options)
    outcome = train(config, launch=launch, stages=toy_stages(task))
    return outcome, lines


def curve(output) -> list[tuple]:
    return [(r["step"], r["loss"], r["grad_norm"], r["lr"]) for r in read_metrics(output / "metrics.jsonl")]


def same_state(first, second) -> bool:
    names = ("weights", "optimizer", "average")
    pairs = [(load_file(first / f"{n}.safetensors"), load_file(second / f"{n}.safetensors")) for n in names]
    return all(a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in pairs)


class StopAfter:
    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"precision": "bf16"}, {"workers": 1}], ids=str)
def test_ten_steps_equal_five_save_five(tmp_path, changes):
    whole, halves = toy_config(tmp_path / "whole", **changes), toy_config(tmp_path / "halves", **changes)
    run(whole, ToyTask(dropout=0.2))
    outcome, _ = run(halves, ToyTask(dropout=0.2), stop=StopAfter(5))
    assert (outcome.finished, outcome.step) == (False, 5)
    outcome, lines = run(halves, ToyTask(dropout=0.2))
    assert outcome.finished and "resuming at step 5" in lines
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    assert len(curve(tmp_path / "whole")) == 10
    assert same_state(tmp_path / "whole/checkpoints/step_00000010", tmp_path / "halves/checkpoints/step_00000010")


def test_doubled_accumulation_and_halved_batch_see_the_same_items(tmp_path):
    run(toy_config(tmp_path / "a", batch=4))
    run(toy_config(tmp_path / "b", batch=2, accumulate=2))
    for one, two in zip(curve(tmp_path / "a"), curve(tmp_path / "b"), strict=True):
        assert one == pytest.approx(two, rel=1e-4)


def test_a_finished_run_says_so_and_more_steps_continue_it(tmp_path):
    config = toy_config(tmp_path)
    first, lines = run(config)
    assert any("the last one" in line and "checkpoint" in line for line in lines)  # what follows can take minutes
    outcome, _ = run(config)
    product = first.line.rsplit(" in ", 1)[1]
    assert "already finished" in outcome.line and product in outcome.line
    outcome, _ = run(dataclasses.replace(config, steps=12))
    assert outcome.step == 12
    assert [step for step, *_ in curve(tmp_path)] == list(range(1, 13))


def test_another_config_in_the_same_folder_is_refused(tmp_path):
    run(toy_config(tmp_path, steps=5))
    with pytest.raises(InputError, match=r"seed 7.*expected seed 0"):
        run(toy_config(tmp_path, steps=6, seed=7))
    with pytest.raises(InputError, match="items_per_step 12"):
        run(toy_config(tmp_path, steps=6, batch=12))


def test_final_model_holds_the_averaged_weights(tmp_path):
    run(toy_config(tmp_path))
    average = load_file(tmp_path / "checkpoints/step_00000010/average.safetensors")
    saved = load_file(tmp_path / "model/toy.safetensors")
    live = load_file(tmp_path / "checkpoints/step_00000010/weights.safetensors")
    assert torch.equal(saved["weight"], average["weight"])
    assert not torch.equal(saved["weight"], live["weight"])


def test_old_checkpoints_are_dropped(tmp_path):
    run(toy_config(tmp_path, save_every=2, keep=3))
    assert [step for step, _ in checkpoints(tmp_path / "checkpoints")] == [10, 8, 6]


def test_damaged_checkpoint_is_passed_over_and_the_result_is_the_same(tmp_path):
    run(toy_config(tmp_path / "whole"))
    run(toy_config(tmp_path / "hurt", save_every=2, keep=5), stop=StopAfter(8))
    path = tmp_path / "hurt/checkpoints/step_00000008/weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    _, lines = run(toy_config(tmp_path / "hurt", save_every=2, keep=5))
    assert any("step_00000008 is damaged" in line for line in lines)
    assert "resuming at step 6" in lines
    assert curve(tmp_path / "whole") == curve(tmp_path / "hurt")


def test_only_damaged_checkpoints_is_an_error_not_a_fresh_start(tmp_path):
    run(toy_config(tmp_path), stop=StopAfter(3))
    for _, folder in checkpoints(tmp_path / "checkpoints"):
        (folder / "average.safetensors").unlink()
    with pytest.raises(InputError, match=r"average\.safetensors is missing"):
        run(toy_config(tmp_path))


def test_non_finite_loss_stops_with_a_saved_state(tmp_path):
    items = ToyItems(poison=5)
    with pytest.raises(TrainingError, match=r"loss is nan in step \d+, batch .*clip5") as caught:
        run(toy_config(tmp_path, steps=50), ToyTask(items))
    step = checkpoints(tmp_path / "checkpoints")[0][0]
    assert f"in step {step + 1}," in str(caught.value)
    failure = json.loads((tmp_path / "failure.json").read_text())
    assert failure["step"] == step and "clip5" in failure["keys"]
    weights = load_file(tmp_path / f"checkpoints/step_{step:08d}/weights.safetensors")
    assert all(torch.isfinite(t).all() for t in weights.values())
    assert not (tmp_path / "model").exists()


def test_nothing_trainable_is_refused_and_leaves_no_checkpoint(tmp_path):
    task = ToyTask()
    task.module.requires_grad_(False)
    with pytest.raises(InputError, match="trainable parameters"):
        run(toy_config(tmp_path), task)
    assert not (tmp_path / "checkpoints").exists()


def test_training_that_leaves_the_output_alone_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="did not change the output"):
        run(toy_config(tmp_path), ToyTask(dead=True))
    assert not (tmp_path / "model").exists()


def test_overfit_one_passes_when_the_set_up_learns(tmp_path):
    outcome, lines = run(toy_config(tmp_path, steps=150, save_every=200, overfit_one=True, overfit_fraction=0.3))
    assert outcome.finished and any("the set-up learns" in line for line in lines)


def test_overfit_one_fails_when_it_does_not(tmp_path):
    with pytest.raises(TrainingError, match="the set-up is broken"):
        run(toy_config(tmp_path, steps=3, overfit_one=True))


def test_wall_clock_ends_the_run_and_carries_the_schedule(tmp_path):
    config = toy_config(tmp_path, steps=10**6, max_minutes=0.5, save_every=10)
    seconds = itertools.count(100.0)  # the clock is read once a step
    run(config, stop=StopAfter(12), clock=lambda: next(seconds))
    outcome, _ = run(config, clock=lambda: next(seconds))
    assert outcome.finished and outcome.step == 30
    rates = [record["lr"] / 0.05 for record in read_metrics(tmp_path / "metrics.jsonl")]
    assert rates[15] == pytest.approx(0.02 + 0.98 * 0.5) and rates[29] < 0.03


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    def nested():
        with pytest.raises(InputError, match="another run writes here"):
            train(toy_config(tmp_path), launch=Launch(), stages=toy_stages())
        return True

    run(toy_config(tmp_path), stop=nested)


def test_validation_sheets_and_records(tmp_path):
    config = toy_config(tmp_path, validate_every=4, sheet_every=5, tensorboard=True)
    _, lines = run(config)
    assert [r["step"] for r in read_metrics(tmp_path / "metrics.jsonl", "val")] == [0, 4, 8, 10]
    sheets = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert sheets == ["step_00000000.png", "step_00000005.png", "step_00000010.png"]
    assert list((tmp_path / "tensorboard").glob("events.*"))
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["starts"][0]["command"] == "worldgen train" and record["finished"]["step"] == 10
    assert any("20 trainable" in line and "4 frozen" in line for line in lines)
    assert any(line.startswith("speed:") for line in lines)
    before, after = record["finished"]["held_out"]["before"], record["finished"]["held_out"]["after"]
    assert (before["step"], after["step"]) == (0, 10)
    table = [line.split() for line in lines[lines.index(next(x for x in lines if x.startswith("held out "))) :]][:2]
    assert table[0] == ["held", "out", "before", "after", "change"]
    change = f"{100 * (after['error'] / before['error'] - 1):+.1f}"
    assert table[1] == ["error", f"{before['error']:.4g}", f"{after['error']:.4g}", change, "%"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_stop_before_the_first_step_does_not_repeat_the_first_validation(tmp_path):
    config = toy_config(tmp_path, validate_every=5)
    run(config, stop=StopAfter(1))
    for folder in (tmp_path / "checkpoints").iterdir():
        shutil.rmtree(folder)  # as after a kill before the first checkpoint
    run(config)
    assert [r["step"] for r in read_metrics(tmp_path / "metrics.jsonl", "val")] == [0, 5, 10]


class Judged(ToyTask):
    findings: ClassVar[dict[str, object]] = {"measured": 3}

    def __init__(self, reason: str | None) -> None:
        super().__init__()
        self.reason = reason

    def judge(self, log) -> str | None:
        log("judged")
        return self.reason


def test_a_task_may_judge_its_own_run(tmp_path):
    _, lines = run(toy_config(tmp_path / "good"), Judged(None))
    assert "judged" in lines
    assert json.loads((tmp_path / "good/run.json").read_text())["finished"]["measured"] == 3
    with pytest.raises(TrainingError, match="of no use"):
        run(toy_config(tmp_path / "bad"), Judged("of no use"))
    assert not (tmp_path / "bad/model").exists()


def test_the_time_to_go_counts_what_is_done_beside_the_steps(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("worldgen.training.loop.timing.time.monotonic", lambda: clock.now)
    lines: list[str] = []
    config = toy_config(tmp_path, steps=100, validate_every=10, save_every=50)
    timer = StepTimer(config, lines.append, per_step=4, start_step=0)
    with timer.beside("validate"):
        clock.now += 30.0
    for step in range(1, 7):
        clock.now += 1.0
        timer.after_step(
            TrainingProgress(step, clock.now, 4 * step, 1.0, 1.0), grad_norm=1.0, device=torch.device("cpu")
        )
        if step == 2:
            with timer.beside("save"):
                clock.now += 5.0
    speed = next(line for line in lines if line.startswith("speed"))
    # 96 steps of 1 s, ten validations of 30 s and two checkpoints of 5 s
    assert "1 s a step" in speed and "about 6.8 min to go" in speed


def test_torn_metrics_line_is_mended(tmp_path):
    run(toy_config(tmp_path), stop=StopAfter(5))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 6, "loss": 1.0}\n{"kind": "tr')
    run(toy_config(tmp_path))
    assert [step for step, *_ in curve(tmp_path)] == list(range(1, 11))


def test_too_small_a_disk_is_refused_before_training(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})()
    monkeypatch.setattr("worldgen.training.loop.preflight.shutil.disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="free space"):
        run(toy_config(tmp_path))
    assert not (tmp_path / "checkpoints").exists()


def test_a_disk_that_fills_up_costs_no_earlier_checkpoint(tmp_path, monkeypatch):
    from worldgen.training.loop import checkpoints as checkpoints_module

    run(toy_config(tmp_path / "whole", save_every=3))
    real, calls = checkpoints_module.save_file, []

    def full(tensors, path):
        calls.append(path)
        if len(calls) == 5:  # the middle file of the second checkpoint
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints_module, "save_file", full)
        with pytest.raises(OSError, match="No space left"):
            run(toy_config(tmp_path / "full", save_every=3))
    assert [step for step, _ in checkpoints(tmp_path / "full/checkpoints")] == [3]
    assert not list((tmp_path / "full").rglob("*.tmp"))
    run(toy_config(tmp_path / "full", save_every=3))
    assert curve(tmp_path / "whole") == curve(tmp_path / "full")
