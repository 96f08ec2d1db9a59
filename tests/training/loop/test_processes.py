"""Runs in processes of their own: killed, stopped, and two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.loop.test_trainer import curve, same_state
from tests.training.toy import toy_config, toy_stages
from worldgen.files.config_files import config_yaml
from worldgen.training.launch import Launch
from worldgen.training.loop.checkpoints import checkpoints
from worldgen.training.loop.record import read_metrics
from worldgen.training.run import train
from worldgen.training.train_config import DataConfig, InitConfig, OptimConfig, TrainConfig

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
STEPS = 24


def codec_config(output: Path, dataset: str, **changes) -> TrainConfig:
    data = DataConfig(urls=(dataset,), width_px=32, height_px=32, num_frames=2)
    values = dict(
        task="codec", output=str(output), device="cpu", data=data, steps=STEPS, batch=2, save_every=5, validate_every=0,
        optim=OptimConfig(lr=1e-3, warmup=1, ema_decay=0.9),
    )  # fmt: skip
    return TrainConfig(**{**values, **changes})


def launch(command: list[str]) -> subprocess.Popen:
    """A program in a group of its own, so that what it starts can be ended with it."""
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def start(config: TrainConfig, *launcher: str) -> subprocess.Popen:
    file = Path(config.output).with_suffix(".yaml")
    file.write_text(config_yaml(config))
    return launch([*(launcher or (sys.executable,)), "-m", "worldgen", "train", "--config", str(file)])


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """Wait for the end: exit code and all it said. A program that takes far too long is ended, and fails the test."""
    try:
        said, _ = process.communicate(timeout=500)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        pytest.fail(f"still running after 500 s, having said: {said}")
    return process.returncode, said


def wait_for_steps(process: subprocess.Popen, output: Path, steps: int) -> None:
    deadline = time.monotonic() + 300
    while len(read_metrics(output / "metrics.jsonl")) < steps:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the run did not get going"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset) -> Path:
    """The same run, never stopped."""
    output = tmp_path_factory.mktemp("whole") / "run"
    train(codec_config(output, dataset), launch=Launch())
    return output


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGTERM))],
    ids=["kill -9", "SIGINT", "SIGTERM"],
)
@pytest.mark.slow
def test_a_run_that_is_ended_goes_on_as_if_it_never_stopped(tmp_path, dataset, whole, number):
    output = tmp_path / "ended"
    process = start(codec_config(output, dataset))
    wait_for_steps(process, output, 8)
    process.send_signal(number)
    code, said = finish(process)
    done = checkpoints(output / "checkpoints")[0][0]
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL and done % 5 == 0 and done < STEPS
    else:
        assert code == 130, said
        assert f"interrupted after step {done}; state saved in {output}" in said and "Traceback" not in said
    lines: list[str] = []
    train(codec_config(output, dataset), launch=Launch(log=lines.append))
    assert f"resuming at step {done}" in lines
    assert curve(whole) == curve(output) and len(curve(output)) == STEPS
    last = f"checkpoints/step_{STEPS:08d}"
    assert same_state(whole / last, output / last)


# --multi_gpu also starts several CPU processes; with --cpu, accelerate starts a single one, whatever the number.
TWO = (sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port",
       "0", "--mixed_precision", "no", "--num_machines", "1", "--dynamo_backend", "no")  # fmt: skip


@pytest.mark.slow
def test_two_processes_see_what_one_with_a_doubled_batch_sees(tmp_path):
    script = Path(__file__).parents[1] / "toy_run.py"
    code, said = finish(launch([*TWO, str(script), str(tmp_path / "two")]))
    assert code == 0, said
    train(toy_config(tmp_path / "one", batch=4), launch=Launch(), stages=toy_stages())
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) == len(two) == 10
    for first, second in zip(one, two, strict=True):
        assert first == pytest.approx(second, rel=1e-5)


@pytest.mark.slow
def test_two_processes_train_the_world_model_as_one_does(tmp_path, dataset, codec_folder):
    data = DataConfig(urls=(dataset,), width_px=32, height_px=32, num_frames=3, flip=0.5)
    changes = dict(task="world", data=data, steps=6, save_every=3, init=InitConfig(codec=str(codec_folder)))
    process = start(codec_config(tmp_path / "two", dataset, **changes, validate_every=3, sheet_every=6), *TWO)
    code, said = finish(process)
    assert code == 0, said
    train(codec_config(tmp_path / "one", dataset, **changes, accumulate=2), launch=Launch())
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(two) == 6
    for first, second in zip(one, two, strict=True):
        assert first == pytest.approx(second, rel=1e-3)
    assert (tmp_path / "two/model/model_index.json").is_file()
