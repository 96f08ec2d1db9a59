"""Typed configs: YAML files from left to right, then ``key=value`` arguments, merged into a frozen dataclass."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from worldgen.core.english import with_article
from worldgen.core.errors import InputError, Received

Config = TypeVar("Config")


RENAMED_FILES = {"configs/train/world_own_past.yaml": "configs/train/world_generated_history.yaml"}
"""Shipped configs: names before 0.2 -> names now."""


def load_config(cls: type[Config], files: Sequence[str | Path] = (), overrides: Sequence[str] = ()) -> Config:
    """An instance of the dataclass ``cls``: its defaults, changed by the files and then by the overrides, in order.

    Args:
        cls: the dataclass, with a default for every field.
        files: YAML files, each a mapping of field names; nested dataclasses are nested mappings. A relative path that
            does not exist here is looked up among the configs that ship with worldgen (``configs/train/world.yaml``).
        overrides: ``field=value`` or ``outer.inner=value`` with values in YAML syntax.

    Raises:
        InputError: for a missing or malformed file, an unknown key (with the nearest name), a value of the wrong type,
            an interpolation, and whatever the dataclass itself refuses.
    """
    sources = [(str(path), _read_yaml(path)) for path in files]
    return _built(cls, cls, sources + [(f"argument {word!r}", _read_override(word)) for word in overrides])


def read_config(
    cls: type[Config],
    source: Config | Mapping[str, Any] | str | Path | Sequence[str | Path],
    overrides: Sequence[str] = (),
) -> Config:
    """An instance of ``cls`` from an instance, a mapping of values, a YAML file or several, and then ``overrides``.

    A mapping holds what differs from the defaults, as a YAML file does. Files and overrides as in :func:`load_config`.

    Raises InputError as :func:`load_config`, and for a source or overrides of another type.
    """
    if isinstance(overrides, str) or not all(isinstance(word, str) for word in overrides):
        raise InputError("overrides", overrides, 'a list of "key=value" words')
    changes = [(f"argument {word!r}", _read_override(word)) for word in overrides]
    if isinstance(source, cls):
        return _built(cls, source, changes)
    if isinstance(source, Mapping):
        return _built(cls, cls, [("values", dict(source)), *changes])
    files = [source] if isinstance(source, (str, Path)) else source
    if not isinstance(files, (list, tuple)) or not all(isinstance(file, (str, Path)) for file in files):
        raise InputError(
            "config", Received(type(source).__name__), f"a YAML file, a dict of values, or {with_article(cls.__name__)}"
        )
    return _built(cls, cls, [*((str(file), _read_yaml(file)) for file in files), *changes])


def config_keys(source: object, overrides: Sequence[str] = ()) -> set[str]:
    """Outermost keys of a mapping of values, of YAML files and of overrides; nothing for what is none of these.

    It tells configs of different classes apart before one of them is built. Raises InputError as :func:`load_config`.
    """
    if isinstance(source, Mapping):
        return {*map(str, source)}
    files = [source] if isinstance(source, (str, Path)) else source
    if not isinstance(files, (list, tuple)) or not all(isinstance(file, (str, Path)) for file in files):
        return set()
    read = [_read_yaml(file) for file in files] + [_read_override(word) for word in overrides]
    return {str(key) for values in read for key in values}


def _built(cls: type[Config], base: Any, sources: Sequence[tuple[str, dict]]) -> Config:
    """``base``, the class ``cls`` itself or an instance, with the values of named sources merged in order."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.structured(base)
    except OmegaConfBaseException as error:
        raise AssertionError(f"{cls.__name__} cannot be a config class: {error}") from error
    _thaw(merged)
    for source, values in sources:
        _check_keys(cls, values, source)
        try:
            merged = OmegaConf.merge(merged, OmegaConf.create(values))
        except (OmegaConfBaseException, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise _wrong_value(cls, source, error) from error
    try:
        built = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, OverflowError) as error:
        raise _wrong_value(cls, "config", error) from error
    assert isinstance(built, cls), (type(built), cls)
    return built


def config_yaml(config: object) -> str:
    """The resolved config as YAML text, which :func:`load_config` reads."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.structured(config))


def _thaw(node: Any) -> None:
    """Make a tree of frozen dataclasses writable for the merge; omegaconf marks it read-only."""
    from omegaconf import DictConfig, OmegaConf

    OmegaConf.set_readonly(node, False)
    if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
        for key in node:
            child = node._get_node(key)
            if isinstance(child, DictConfig):
                _thaw(child)


YAML_DEFECTS = (ValueError, TypeError, OverflowError, AssertionError, AttributeError, LookupError)
"""What the YAML library raises for values it knows but cannot build: integers of more than 4,300 digits, dates out of
range, ``!!set``, keys that cannot be hashed."""


def _read_yaml(path: str | Path) -> dict:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = _find(path)
    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (YAMLError, OmegaConfBaseException) as error:
        reason = str(error).strip().split("\n    full_key")[0]
        raise InputError(f"config file {path}", Received(f"invalid YAML ({reason})"), "a YAML mapping") from error
    except RecursionError as error:
        raise InputError(f"config file {path}", Received("YAML that is nested too deep"), "a YAML mapping") from error
    except UnicodeDecodeError as error:
        raise InputError(f"config file {path}", Received("bytes that are not text"), "a YAML mapping") from error
    except OSError as error:
        raise InputError(
            f"config file {path}", Received(error.strerror or str(error)), "a readable YAML file"
        ) from error
    except YAML_DEFECTS as error:
        raise InputError(f"config file {path}", Received(f"invalid YAML ({error})"), "a YAML mapping") from error
    if not isinstance(values, dict):
        raise InputError(f"config file {path}", Received(type(values).__name__), "a YAML mapping")
    return values


def _find(path: str | Path) -> Path:
    from worldgen.files.shipped import configs_dir

    path = Path(path).expanduser()
    if path.exists() or path.is_absolute():
        return path
    shipped = configs_dir()
    inside = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    if (shipped / inside).is_file():
        return shipped / inside
    known = sorted(str(Path("configs") / file.relative_to(shipped)) for file in shipped.rglob("*.yaml"))
    near = [RENAMED_FILES[str(path)]] if str(path) in RENAMED_FILES else difflib.get_close_matches(str(path), known, 1)
    raise InputError(
        "config file", str(path), "an existing YAML file" + (f" (did you mean {near[0]}?)" if near else "")
    )


def _read_override(word: str) -> dict:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    key, equals, _ = word.partition("=")
    if not equals or not all(part.isidentifier() for part in key.split(".")):
        raise InputError("override", word, "key=value or outer.inner=value")
    try:
        values = OmegaConf.to_container(OmegaConf.from_dotlist([word]), resolve=False)
    except (YAMLError, OmegaConfBaseException, RecursionError, *YAML_DEFECTS) as error:
        raise InputError("override", word, "a value in YAML syntax") from error
    assert isinstance(values, dict), values
    return values


def _key_paths(cls: type, prefix: str = "") -> list[str]:
    """The dotted names of all values of a config class, those of its sections included; tables are left out."""
    paths = []
    for name, hint in typing.get_type_hints(cls).items():
        if name not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            continue
        inner = _dataclass_of(hint)
        paths += _key_paths(inner, f"{prefix}{name}.") if inner and not _is_table(hint) else [f"{prefix}{name}"]
    return paths


def _hint(root: type, known: Sequence[str], key: str, prefix: str) -> str:
    """The key that was probably meant: one of that name in another section, else the nearest name of this one."""
    near = [path for path in _key_paths(root) if path.rsplit(".", 1)[-1] == key][:1]
    near = near or [f"{prefix}{name}" for name in difflib.get_close_matches(key, known, 1)]
    return f" (did you mean {near[0]}?)" if near else ""


def _check_keys(cls: type, values: dict, source: str, prefix: str = "", root: type | None = None) -> None:
    """Refuse keys that are no fields of ``cls`` or its nested dataclasses, and values with interpolations.

    prefix: names of the sections around, each with a full stop. root: class of the whole config, by default ``cls``.
    """
    root = root or cls
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]
    for key, value in values.items():
        if key not in known:
            now = getattr(cls, "RENAMED", {}).get(key)
            if now:
                raise InputError(f"config key in {source}", f"{prefix}{key}", f"{prefix}{now}, its name since 0.2")
            hint = _hint(root, known, str(key), prefix)
            raise InputError(f"unknown config key in {source}", f"{prefix}{key}", "one of " + ", ".join(known) + hint)
        if not isinstance(value, dict) and "${" in str(value):
            raise InputError(
                f"config value of {prefix}{key} in {source}", value, "a plain value: nothing is interpolated"
            )
        inner = _dataclass_of(hints[key])
        if not inner or not isinstance(value, dict):
            continue
        if _is_table(hints[key]):
            for name, entry in value.items():
                _check_keys(inner, entry if isinstance(entry, dict) else {}, source, f"{prefix}{key}.{name}.", root)
        else:
            _check_keys(inner, value, source, f"{prefix}{key}.", root)


def _is_table(hint: Any) -> bool:
    """Whether a field is a ``dict[str, SomeConfig]``, whose keys are names that the user chooses."""
    return dict in (typing.get_origin(hint), *map(typing.get_origin, typing.get_args(hint)))


def _dataclass_of(hint: Any) -> type | None:
    candidates = (hint, *typing.get_args(hint))
    return next((each for each in candidates if isinstance(each, type) and dataclasses.is_dataclass(each)), None)


def _wrong_value(cls: type, source: str, error: Exception) -> InputError:
    key = getattr(error, "full_key", None) or ""
    reason = str(getattr(error, "msg", None) or error).strip().split("\n")[0]
    if "$VALUE" in reason:  # omegaconf leaves its placeholder in place for items of lists
        reason = "an item of the wrong type"
    return InputError(f"config value{f' of {key}' if key else ''} in {source}", Received(reason), _type_text(cls, key))


def _type_text(cls: type, key: str) -> str:
    """The annotation of the field with a dotted key, as written in its class."""
    text: Any = "the type of the field"
    for part in key.split("[", maxsplit=1)[0].split("."):
        found = next((field for field in dataclasses.fields(cls) if field.name == part), None)
        if found is None:
            break
        text = found.type
        cls = _dataclass_of(typing.get_type_hints(cls)[part]) or cls
    return text if isinstance(text, str) else getattr(text, "__name__", str(text))
