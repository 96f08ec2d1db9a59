from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from worldgen.core.errors import InputError
from worldgen.files.config_files import config_yaml, load_config
from worldgen.training.train_config import TrainConfig


@dataclass(frozen=True)
class OptimiserConfig:
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    kind: Literal["adamw", "lion"] = "adamw"


@dataclass(frozen=True)
class RunConfig:
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    second: OptimiserConfig | None = None
    steps: int = 10
    name: str | None = None
    sizes: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        if self.steps < 1:
            raise InputError("steps", self.steps, "at least 1")


def _yaml(tmp_path, text, name="a.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_without_sources_the_defaults():
    assert load_config(RunConfig) == RunConfig()


def test_sources_merge_left_to_right_and_keep_types(tmp_path):
    first = _yaml(tmp_path, "# a header\nsteps: 7\nname: first\noptimiser:\n  kind: lion\n  rate: 5e-4\n")
    second = _yaml(tmp_path, "name: second\n", "b.yaml")
    config = load_config(RunConfig, [first, second], ["optimiser.rate=1e-4", "sizes=[3,4,5]", "second.rate=2"])
    assert config == RunConfig(
        optimiser=OptimiserConfig(rate=1e-4, kind="lion"), second=OptimiserConfig(rate=2.0), steps=7, name="second",
        sizes=(3, 4, 5),
    )  # fmt: skip
    assert type(config.second.rate) is float and type(config.sizes) is tuple


def test_values_may_hold_equal_signs_and_null():
    assert load_config(RunConfig, overrides=["name=a=b"]).name == "a=b"
    assert load_config(RunConfig, overrides=["name=null"]).name is None


def test_the_resolved_config_loads_back_equal(tmp_path):
    config = load_config(RunConfig, overrides=["steps=3", "optimiser.betas=[0.8,0.9]", "second.kind=lion"])
    assert load_config(RunConfig, [_yaml(tmp_path, config_yaml(config))]) == config


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("stepz=3", "did you mean steps?"),
        ("optimiser.rat=3", "did you mean optimiser.rate?"),
        ("second.kinds=lion", "did you mean second.kind?"),
        ("optimiser.steps=3", "did you mean steps?"),
        ("rate=3", "did you mean optimiser.rate?"),
        ("second.name=a", "did you mean name?"),
        ("steps=many", "expected int"),
        ("steps=null", "expected int"),
        ("steps=2.5", "expected int"),
        ("optimiser.kind=sgd", "'adamw', 'lion'"),
        ("optimiser.betas=[1,2,3]", "length 3 does not match"),
        ("sizes=[a]", "wrong type"),
        ("optimiser=3", "not a subclass"),
        ("steps=0", "steps: received 0; expected at least 1"),
        ("steps", "key=value"),
        ("=3", "key=value"),
        ("steps=[1", "YAML"),
        ("name=${oc.env:HOME}", "nothing is interpolated"),
    ],
)
def test_bad_overrides_are_one_clear_line(override, expected):
    with pytest.raises(InputError) as caught:
        load_config(RunConfig, overrides=[override])
    assert expected in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stepz: 3", "did you mean steps?"),
        ("optimiser: {rat: 1}", "did you mean optimiser.rate?"),
        ("- 1\n- 2", "expected a YAML mapping"),
        ("a: [1\n b", "invalid YAML"),
        ("steps: 1\nsteps: 2", "invalid YAML"),
        ("sizes: ['${oc.env:HOME}']", "nothing is interpolated"),
        ("!!python/object/apply:os.system ['true']", "invalid YAML"),
    ],
)
def test_bad_files_are_one_clear_line_naming_the_file(tmp_path, text, expected):
    path = _yaml(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_config(RunConfig, [path])
    assert expected in str(caught.value) and "a.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_config(RunConfig, [tmp_path / "absent.yaml"])
    with pytest.raises(InputError, match="config file"):
        load_config(RunConfig, ["configs/absent.yaml"])
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00\x81" * 10)
    with pytest.raises(InputError, match=r"c\.yaml"):
        load_config(RunConfig, [tmp_path / "c.yaml"])
    with pytest.raises(InputError, match="readable"):
        load_config(RunConfig, [tmp_path])


@pytest.mark.parametrize(
    ("before", "now"),
    [("flow.drop_past=0.1", "flow.drop_history"), ("adversarial.critic_pace=2", "adversarial.critic_lr_scale")],
)
def test_a_key_from_before_a_rename_is_answered_with_its_new_name(before, now):
    with pytest.raises(InputError, match=now.replace(".", r"\.")):
        load_config(TrainConfig, overrides=[before])


def test_a_shipped_config_from_before_a_rename_is_answered_with_its_new_name():
    with pytest.raises(InputError, match="world_generated_history"):
        load_config(TrainConfig, ["configs/train/world_own_past.yaml"])


@pytest.mark.parametrize(
    "text",
    ["name: !!set {a}", "null: 2", "steps: " + "9" * 5000, "a: " + "[" * 5000, "? [a]\n: 1",
     "name: !!python/object:os.system x", "steps: 1\n--- 2", "{a: 1, a: 2}", "&a [*a]"],
)  # fmt: skip
def test_yaml_that_is_no_config_is_one_line(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_config(RunConfig, [path])
    assert "\n" not in str(error.value) and len(str(error.value)) < 2000


@pytest.mark.parametrize("word", ["name=!!set {a}", "steps=" + "9" * 5000, "name={null: 2}", "optimiser=[]"])
def test_overrides_that_are_no_values_are_one_line(word):
    with pytest.raises(InputError) as error:
        load_config(RunConfig, [], [word])
    assert "\n" not in str(error.value) and len(str(error.value)) < 2000
