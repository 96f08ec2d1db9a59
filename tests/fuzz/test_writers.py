"""Every writer, with every access refused in turn: no half file stays, and the next run ends as a clean one does."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.data.drives import make_video, write_log
from tests.data.samples import make_sample
from tests.fuzz.disk_faults import inject_faults
from tests.models.build import noisy_weights
from tests.training.toy import ToyTask, toy_config
from worldgen.api.generated_sample import GeneratedSample
from worldgen.cli.main import main
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter, read_shard
from worldgen.data.dataset.validate import validate
from worldgen.data.export.sample_folder import FILES
from worldgen.files.journal import Journal, read_journal
from worldgen.files.storage import write_bytes
from worldgen.models.native.adapters import attach_lora, load_adapter, save_adapter
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.sizes import build_pipeline, build_transformer
from worldgen.training.loop.checkpoints import refusals_as_os_errors

pytestmark = pytest.mark.slow


@pytest.fixture
def new_folder(tmp_path):
    """Makes empty folders, each alone in a folder of its own."""
    numbers = itertools.count()

    def make() -> Path:
        folder = tmp_path / f"{next(numbers):04d}" / "out"
        folder.mkdir(parents=True)
        return folder

    return make


def command(*words: str) -> None:
    """A command that ends with 0, or refuses with 2 and one line."""
    code = main(list(words))
    if code == 2:
        raise InputError("refused")
    assert code == 0, (words, code)


def shards_are_whole(folder: Path) -> None:
    for path in folder.rglob("*.tar"):
        assert list(read_shard(str(path)))


@pytest.fixture(scope="module")
def data_set(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("set")
    with ShardWriter(str(folder), "s") as writer:
        for number in range(2):
            writer.write(make_sample(f"k{number}", 2 * number, drive=f"d{number}"))
    build_index(str(folder))
    return str(folder)


def test_files_are_old_or_new(new_folder):
    def with_old() -> Path:
        folder = new_folder()
        (folder / "a.bin").write_bytes(b"old" * 300)
        return folder

    def check(folder: Path) -> None:
        assert (folder / "a.bin").read_bytes() in (b"old" * 300, b"new" * 400)

    counts = inject_faults(lambda folder: write_bytes(folder / "a.bin", b"new" * 400), check, with_old)
    assert counts.refused >= 2 * counts.accesses - 2


def test_shards(new_folder):
    def write(folder: Path) -> None:
        with ShardWriter(str(folder), "s") as writer:
            writer.write(make_sample("a"))
            writer.write(make_sample("b", 2))

    def check(folder: Path) -> None:
        shards_are_whole(folder)
        assert {path.name for path in folder.iterdir()} <= {"s.tar"}

    inject_faults(write, check, new_folder)


def test_an_index_is_that_of_its_shards_or_refused(new_folder, data_set):
    """One more shard than the index knows: index and summary are of one run, whichever file could not be written."""

    def with_new_shard() -> Path:
        folder = new_folder()
        shutil.copytree(data_set, folder, dirs_exist_ok=True)
        with ShardWriter(str(folder), "t") as writer:
            writer.write(make_sample("later"))
        return folder

    def check(folder: Path) -> None:
        summary = json.loads((folder / "dataset.json").read_bytes())
        try:
            data = DataSet(str(folder))
        except InputError as error:
            assert "index" in str(error)
        else:
            assert len(data) in (2, 3) and [data.load(i).key for i in range(len(data))]
            assert len(data) == summary["num_samples"] or validate(str(folder)).problems

    inject_faults(lambda folder: build_index(str(folder)), check, with_new_shard)


def test_a_clip_folder_is_whole_or_absent(new_folder):
    sample = make_sample("a")
    clip = GeneratedSample(**{name: getattr(sample, name) for name in ("key", "clip", "caption", "ego", "labels")})

    def check(folder: Path) -> None:
        names = {path.name for path in folder.rglob("*") if path.is_file()}
        assert names in (set(), set(FILES))

    inject_faults(lambda folder: clip.save(folder / "clip", overwrite=True), check, new_folder)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (("data", "view"), "index.html"),
        (("data", "export", "--format", "coco"), "provenance.jsonl"),
        (("data", "export", "--format", "kitti"), "provenance.jsonl"),
        (("data", "export", "--format", "kitti_tracking"), "provenance.jsonl"),
        (("data", "export", "--format", "yolo"), "provenance.jsonl"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_pages_and_exports_are_whole_or_absent(new_folder, data_set, words, last, capsys):
    def write(folder: Path) -> None:
        command(*words[:2], data_set, *words[2:], "--overwrite", "--out", str(folder / "made"))

    whole = new_folder()
    write(whole)
    names = {str(path.relative_to(whole)) for path in whole.rglob("*")}
    assert f"made/{last}" in names

    def check(folder: Path) -> None:
        assert {str(path.relative_to(folder)) for path in folder.rglob("*")} in (set(), names)

    inject_faults(write, check, new_folder, errors=(28,), every=3)
    assert "Traceback" not in capsys.readouterr().err


def test_an_ingest_leaves_whole_shards_and_goes_on(new_folder, tmp_path, capsys):
    drives = tmp_path / "drives"
    make_video(drives / "a.mp4", 40)
    make_video(drives / "b.mp4", 40)
    write_log(drives / "a.csv")
    small = ("fps=10", "width_px=48", "height_px=32", "num_frames=8", "samples_per_shard=2")

    def write(folder: Path) -> None:
        command("ingest", str(drives), "--out", str(folder / "set"), *small)

    inject_faults(write, shards_are_whole, new_folder, every=2)
    assert "Traceback" not in capsys.readouterr().err


def test_rendered_sets_leave_whole_shards_and_go_on(new_folder, capsys):
    def write(folder: Path) -> None:
        words = ("--count", "2", "--frames", "2", "--size", "64x32", "--shard-size", "1")
        command("scenes", "render", "--prompt", "a car", *words, "--out", str(folder / "set"))

    inject_faults(write, shards_are_whole, new_folder, errors=(28,), every=4, sizes=(0, 700))
    assert "Traceback" not in capsys.readouterr().err


RECIPE = """
name: tiny
cells: [{{count: 1, weather: [clear], light: [day], road: [rural], manoeuvre: [keep]}}]
clip: {{frames: 3, width_px: 48, height_px: 32}}
model: {{pipeline: {model}, start: noise, steps: 1, batch: 1}}
scorer: {{verifier: "", detector: "", attributes: "", motion: "", training: ""}}
gate: {{bounds: {{blank: {{high: 1.0}}}}}}
work: {{attempts: 1, retries: 0, retry_wait_s: 0}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    pipeline = build_pipeline("tiny", words=["a car in fog"])
    noisy_weights(pipeline.transformer, 0.05)
    pipeline.save_pretrained(folder)
    return folder


def test_a_generated_set_is_published_whole_or_goes_on(new_folder, model, tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.format(model=model))

    def write(folder: Path) -> None:
        command("generate", "--config", str(recipe), f"output={folder / 'set'}")

    def check(folder: Path) -> None:
        shards_are_whole(folder)
        if (folder / "set" / "dataset.json").exists():
            assert not validate(str(folder / "set")).problems

    inject_faults(write, check, new_folder, errors=(28,), every=5, sizes=(0, 5000))
    assert "Traceback" not in capsys.readouterr().err


def test_a_training_run_keeps_a_whole_checkpoint(new_folder):
    from tests.training.loop.test_trainer import run

    def write(folder: Path) -> None:
        outcome, _ = run(toy_config(folder / "run", steps=2, save_every=1), ToyTask())
        assert outcome.finished and outcome.step == 2

    def check(folder: Path) -> None:
        for path in (folder / "run").rglob("*.json"):
            json.loads(path.read_bytes())

    inject_faults(write, check, new_folder, errors=(28,), every=4, sizes=(700, 5000, 20_000))


def test_adapters_and_models_are_whole_or_absent(new_folder):
    from worldgen.files.atomic import replace_folder

    trained = build_transformer("tiny")
    attach_lora(trained, ["to_q"], rank=2, alpha=2.0)
    pipeline = build_pipeline("tiny", words=["a car"])

    def write(folder: Path) -> None:
        with replace_folder(folder / "adapter") as place, refusals_as_os_errors():
            save_adapter(trained, place)
        with replace_folder(folder / "model") as place, refusals_as_os_errors():
            pipeline.save_pretrained(place)

    def check(folder: Path) -> None:
        if (folder / "adapter").exists():
            load_adapter(build_transformer("tiny"), folder / "adapter", any_base=True)
        if (folder / "model").exists():
            load_pipeline(folder / "model")

    inject_faults(write, check, new_folder, errors=(28,), every=5, sizes=(0, 5000))


def test_a_journal_loses_at_most_its_last_line(new_folder):
    def write(folder: Path) -> None:
        with Journal(folder / "metrics.jsonl") as journal:
            for number in range(3):
                journal.append({"number": number})

    def check(folder: Path) -> None:
        numbers = [record["number"] for record in read_journal(folder / "metrics.jsonl")]
        assert all(one + 1 == two or two == 0 for one, two in itertools.pairwise(numbers))

    inject_faults(write, check, new_folder, sizes=(0, 17, 20, 40))


def test_the_harness_sees_a_half_file(new_folder):
    """A writer that is not atomic must fail the check."""

    def write(folder: Path) -> None:
        with (folder / "a.json").open("w") as file:
            file.write(json.dumps(np.zeros(400).tolist()))

    def check(folder: Path) -> None:
        for path in folder.glob("*.json"):
            json.loads(path.read_bytes())

    with pytest.raises(AssertionError, match="after files of at most"):
        inject_faults(write, check, new_folder)
