"""The card of the shipped model. Every number comes from the JSON that training, benchmarks and measures wrote."""

from __future__ import annotations

import json
from pathlib import Path

from worldgen.evaluation.measures.drift import growth_line

REPOSITORY = Path(__file__).resolve().parents[1]
TITLES = {
    "control": "Does it move as commanded?",
    "attributes": "Does it show what the prompt says?",
    "labels": "Do its labels agree with the pixels?",
}
"""Measure -> heading of its section."""
COLUMNS = {"made": "generated", "drawn": "rendered"}
"""Key of a column in the results -> its heading."""


def read_results(folder: Path) -> dict[str, dict]:
    """Every JSON file of a folder by its stem; {} where there is none."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


FRONT_MATTER = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-video
tags:
- world-model
- driving
- video-generation
- flow-matching
- worldgen
---
"""
"""What the Hugging Face hub reads of a card (https://huggingface.co/docs/hub/model-cards)."""

USE = """
## Use

```bash
worldgen sample --prompt "pedestrian at night in rain"
```

With worldgen installed, the folder is a pipeline of diffusers:

```text
from diffusers import DiffusionPipeline
pipeline = DiffusionPipeline.from_pretrained(FOLDER, trust_remote_code=True)
```

`pipeline.py` in the folder imports `worldgen.models.native.pipeline.WorldPipeline` and nothing else.
"""


def card(out: Path) -> str:
    """The card of the model in a folder, as Markdown. Its ``training.json`` must exist."""
    record = json.loads((out / "training.json").read_text())
    results = read_results(REPOSITORY / "benchmarks" / "results")
    measures = read_results(REPOSITORY / "eval" / "results")
    steps = read_results(REPOSITORY / "eval" / "results" / "steps")
    parameters = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in record["parameters"].items())
    lines = [
        FRONT_MATTER,
        "# The shipped model",
        "",
        "A small driving world model. Its inputs are previous frames, ego motion, a prompt and a scene layout; its "
        "outputs "
        "are video latents. It is a reference and a working default for a laptop CPU, **not photorealistic and not for "
        "judging real systems**. How well it follows its conditions, and for how long, is measured below on held-out "
        "scenes, by instruments trained on rendered scenes only. All numbers of this page but those of the painter are "
        "of rollouts (`--start sketch`) of the weights below, measured at the size they were trained at, which was the "
        "default then; where a part is older, its section says so.",
        "",
        "| | |",
        "| --- | --- |",
        f"| clips of prompts | {_painted_size(out)}, drawn by the ray-cast renderer and painted |",
        f"| rollouts | trained at {record['size_px'][0]} x {record['size_px'][1]}, {record['fps']:g} frames/s |",
        f"| conditions honoured | {', '.join(record['accepts'])} |",
        f"| parameters | {parameters} |",
        f"| weights | {record['weights_mb']} MB, float16 safetensors, hash of the networks of rollouts "
        f"`{record['weights_hash']}` |",
        "| licence | Apache-2.0 |",
        USE,
        *_painter(REPOSITORY / "eval" / "results" / "painter" / "lens.json"),
        "## Data",
        "",
        "| data set | clips | hours | licences | sources |",
        "| --- | --- | --- | --- | --- |",
    ]
    for data in record["data"]:
        sources = ", ".join(f"{name} {count}" for name, count in sorted(data["sources"].items()))
        lines.append(
            f"| {data['name']} | {data['clips']} | {data['hours']} | {', '.join(data['licences'])} | {sources} |"
        )
    lines += [
        "",
        "Rendered scenes have exact ego motion, captions and layouts. Real clips have captions, and ego motion where "
        "a log "
        "gives it. Splits are by drive.",
        "",
        "## Training",
        "",
        "The weights came from the runs below, in order, each begun from the one before (records in `training.json`). "
        "`pipelines/train_from_scratch.sh` trains a model of this kind from random weights in one go:"
        if record["runs"]
        else "The recipe is `pipelines/train_from_scratch.sh`. **Only the codec is trained so far**; the "
        "transformer and the text encoder have their initial weights. A frame is the previous frame, reprojected "
        "with the "
        "ego motion, the depth of the layout and the motion of the objects. The prompt changes only the rendered "
        "start.",
        "",
        "| run | steps | minutes | validation error, first to last |",
        "| --- | --- | --- | --- |",
    ]
    if record["codec_run"]:
        lines.append(_run_row("codec", record["codec_run"]))
    lines += [_run_row(run["run"], run) for run in record["runs"]]
    if record.get("averaged_runs", 1) > 1:
        lines += ["", f"The transformer's weights are the mean of those of the last {record['averaged_runs']} runs."]
    lines += [
        "",
        "The validation error of a world run is the mean velocity error over the noise levels in `training.json`.",
    ]
    notes = record.get("notes", []) + [
        note for run in [record["codec_run"], *record["runs"]] for note in run.get("notes", ())
    ]
    lines += ["", *[f"- {note}" for note in notes]] if notes else []
    lines += measures_section(measures)
    lines += _steps(steps, record["weights_hash"])
    if "samples" in measures:
        lines += _samples(measures["samples"])
    if "codec" in results:
        lines += _codec_table(results["codec"])
    if "speed" in results:
        lines += _speed_table(results["speed"])
    return "\n".join(lines) + "\n"


def _painted_size(out: Path) -> str:
    """Default size of clips of prompts."""
    config = json.loads((out / "transformer" / "config.json").read_text())
    return f"{config['width_px']} x {config['height_px']} at {config['fps']:g} frames/s"


def _painter(path: Path) -> list[str]:
    """What the painter was fitted to; nothing where there is no record."""
    if not path.is_file():
        return []
    record = json.loads(path.read_text())
    drives = ", ".join(f"{name} {count}" for name, count in record["recorded_clips"].items())
    return [
        "## The painter", "",
        "Clips of prompts are drawn, and the painter makes the drawing look recorded. The shipped painter is a lens: "
        f"a blur of {record['lens_sigma_px']:.2f} px (standard deviation) at {record['size_px'][0]} x "
        f"{record['size_px'][1]}, by which recordings are softer than drawings. It was read off the spectra of "
        f"{record['drawn_clips']} drawn clips and of these recorded ones: {drives} (`pipelines/fit_painter.py`). A "
        "network for texture and tone can be trained (`configs/train/painter.yaml`); none was better than the drawing "
        "so far.", "",
    ]  # fmt: skip


def _samples(result: dict) -> list[str]:
    psnr = result["psnr_db"]
    lines = [
        "",
        "## Samples",
        "",
        f"The clips of {result['clips']} held-out scenes that are nearest to the rendered clips and furthest from "
        "them (PSNR: median "
        f"{psnr['median']} dB, best {psnr['best']}, worst {psnr['worst']}). `python pipelines/model_sheets.py`.",
        "",
        "![The best clips, each below the rendered one](../../docs/samples_good.jpg)",
        "![The worst clips, each below the rendered one](../../docs/samples_bad.jpg)",
    ]
    if "real" in result:
        real = result["real"]
        lines += [
            "",
            f"{real['clips']} real clips of {len(real['drives'])} drives, continued from their first "
            f"{real['context_frames']} frames "
            "without a layout, each with the next of the manoeuvres:",
            "",
            "![Real clips continued](../../docs/samples_real.jpg)",
        ]
    return lines


def _run_row(name: str, run: dict) -> str:
    key = "psnr_db" if run["validation"] and "psnr_db" in run["validation"][0] else "loss"
    curve = [v[key] for v in run["validation"]]
    shown = f"{key} {curve[0]:.3f} to {curve[-1]:.3f}" if curve else "not measured"
    return f"| {name} | {run['steps']} | {run['minutes']} | {shown} |"


def _codec_table(result: dict) -> list[str]:
    referenced = any("reference_psnr_db" in row for row in result["sources"])
    head = "| source | split | PSNR dB | SSIM |" + (" reference PSNR dB | reference SSIM |" if referenced else "")
    lines = [
        "",
        "## Codec",
        "",
        f"{result['frames']} frames; encodes {result['encode_frames_per_s']} and decodes "
        f"{result['decode_frames_per_s']} "
        f"frames/s on {result['threads']} threads. `python benchmarks/codec.py`. The reference is a public "
        "autoencoder of "
        "equal stride with 32 latent channels; `codec.json` also has the plain transform with 16, 32 and 48 "
        "channels. Sources "
        "other than the training data are used for measuring only.",
        "",
        head,
        "| --- " * head.count(" | ") + "| --- |",
    ]
    for row in result["sources"]:
        cells = [row["source"], row["split"], f"{row['psnr_db']:.2f}", f"{row['ssim']:.3f}"]
        if referenced:
            cells += [f"{row['reference_psnr_db']:.2f}", f"{row['reference_ssim']:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _speed_table(result: dict) -> list[str]:
    rollout = result["rollout"]
    late = next(k for k in rollout if k.startswith("s_per_frame_at_") and k != "s_per_frame_at_50")
    rows = [
        (
            "`worldgen sample`, 25 frames, cold start",
            f"{result['sample_25_frames_cold']['seconds']} s, peak {result['sample_25_frames_cold']['peak_mib']} MiB",
        ),
        ("`worldgen --help`", f"{result['help_s']} s"),
        ("forward, share of the matrix-product peak", f"{result['forward']['share_of_peak']:.0%}"),
        ("training step, share of the matrix-product peak", f"{result['training_step']['share_of_peak']:.0%}"),
        (
            f"rollout, s per frame at frame 50 and at frame {late.rsplit('_', 1)[1]}",
            f"{rollout['s_per_frame_at_50']} and {rollout[late]}, ratio {rollout['ratio']}",
        ),
        ("streaming, decoded frames per second", f"{rollout['frames_per_s']}"),
        (f"sampler steps alone, 25 frames of {rollout['steps']} steps", f"{rollout['sampler_s_for_25_frames']} s"),
    ]
    return [
        "",
        "## Speed",
        "",
        f"{result['threads']} CPU threads, PyTorch {result['torch']}. `python benchmarks/speed.py`.",
        "",
        "| what | measured |",
        "| --- | --- |",
        *[f"| {name} | {value} |" for name, value in rows],
    ]


def cell(value: object) -> str:
    """An interval as ``0.91 [0.88, 0.94]``, a plain number, or a dash where the value is not defined."""
    if isinstance(value, dict):
        if value.get("value") is None:
            return "-"
        low, high = value.get("low"), value.get("high")
        return f"{value['value']:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def measures_section(measures: dict[str, dict]) -> list[str]:
    """Control, attributes, labels and drift of the shipped weights, beside rendered clips of the same scenes."""
    lines = []
    for name, title in TITLES.items():
        if name in measures:
            lines += ["", f"## {title}", "", *_head(measures[name])]
            lines += {"control": _control, "attributes": _nested, "labels": _nested}[name](measures, name)
    if "control_real" in measures:
        result = measures["control_real"]
        lines += [
            "",
            "## Does it continue real clips as commanded?",
            "",
            f"{result['clips']} real clips, continued from eight frames without a layout, each with the next of the "
            "manoeuvres, from "
            "the speed that their pixels show (`pipelines/model_sheets.py --real`). The instrument was trained on "
            "rendered clips only.",
            "",
            "| measure | the model |",
            "| --- | --- |",
            *[f"| {row} | {cell(value)} |" for row, value in {**result["rows"], **result["controls"]}.items()],
        ]
    for name, shown in (("attributes_noise", _nested), ("labels_noise", _nested), ("control_noise", _control)):
        if name in measures:
            lines += [
                "",
                f"## {TITLES[name.removesuffix('_noise')]} From the prompt alone",
                "",
                *_head(measures[name]),
                *shown(measures, name),
            ]
    if "drift" in measures:
        lines += _drift(measures["drift"])
    return lines


def _head(result: dict) -> list[str]:
    start = "two rendered frames, which are not judged" if result.get("start") == "sketch" else "noise"
    steps = result.get("sampler", {}).get("steps")
    return [
        f"`{result['command']}`: {result['clips']} clips of {result['frames']} frames, started from {start}, {steps} "
        f"sampler step{'s' * (steps != 1)}.",
        "",
    ]


def _control(measures: dict[str, dict], name: str) -> list[str]:
    result, rendered = measures[name], measures.get(f"{name}_rendered", {"rows": {}})
    lines = ["| measure | the model | the same scenes rendered |", "| --- | --- | --- |"]
    lines += [f"| {row} | {cell(value)} | {cell(rendered['rows'].get(row))} |" for row, value in result["rows"].items()]
    for row, value in result["controls"].items():
        fails = "must be far larger than above" if row.endswith("_m") else "must be about 0"
        lines.append(f"| {row} ({fails}) | {cell(value)} | |")
    return lines


def _nested(measures: dict[str, dict], name: str) -> list[str]:
    """A table of rows with several columns; the control is the last column."""
    result = measures[name]
    columns = [c for c in next(iter(result["rows"].values()))]
    controls = result.get("controls", {})
    extra = list(next(iter(controls.values()), {}))
    head = ["what", *(COLUMNS.get(c, c) for c in columns), *(f"{c} (must fail)" for c in extra)]
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for row, values in result["rows"].items():
        cells = [cell(values.get(c)) for c in columns] + [cell(controls.get(row, {}).get(c)) for c in extra]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    if result.get("not_judged"):
        lines += [
            "",
            "Not judged, because the instrument is not accurate enough: " + ", ".join(result["not_judged"]) + ".",
        ]
    return lines


def _steps(results: dict[str, dict], weights_hash: str) -> list[str]:
    """Each measure at every number of sampler steps that was measured with these weights."""
    of = {name: result for name, result in results.items() if result["weights_hash"] == weights_hash}
    counts = sorted({int(name.rsplit("-", 1)[1]) for name in of})
    if len(counts) < 2:
        return []
    wanted = [
        *(
            ("control", (row,))
            for row in (
                "speed_spearman",
                "yaw_rate_spearman_turning",
                "speed_ratio",
                "yaw_rate_ratio",
                "position_error_2s_m",
            )
        ),
        *(("attributes", (what, place)) for what in ("weather", "light") for place in ("first", "last")),
        *(("labels", (group, "relative")) for group in ("vehicle", "pedestrian", "cyclist")),
    ]
    lines = []
    for measure, path in wanted:
        cells = []
        for count in counts:
            value = of.get(f"{measure}-{count}", {}).get("rows", {})
            for key in path:
                value = value.get(key, {})
            cells.append(cell(value or None))
        lines.append(f"| {' '.join(path)} | " + " | ".join(cells) + " |")
    clips = next(iter(of.values()))["clips"]
    return [
        "",
        "## One sampler step or more?",
        "",
        f"The first {clips} of the clips above with {' and '.join(map(str, counts))} sampler "
        "steps (`eval/run_steps.sh`). The network is trained to generate a frame in one step, from pure noise.",
        "",
        "| measure | " + " | ".join(f"{count} step{'s' * (count > 1)}" for count in counts) + " |",
        "| --- " * (len(counts) + 1) + "|",
        *lines,
    ]


def _drift(result: dict) -> list[str]:
    starts = [window["first_frame"] for window in result["windows"]]
    lines = ["", "## How long does it stay stable?", "", *_head(result)]
    lines += [
        "| from frame | " + " | ".join(map(str, starts)) + " | leaves its band |",
        "| --- " * (len(starts) + 2) + "|",
    ]
    for name in (n for n in result["windows"][0] if n != "first_frame"):
        values = []
        for window in result["windows"]:
            value = window[name].get("value") if isinstance(window[name], dict) else window[name]
            values.append("-" if value is None else f"{value:.2f}")
        frame = result["leaves_band_at_frame"].get(name)
        lines.append(f"| {name} | " + " | ".join(values) + f" | {'stays' if frame is None else f'at frame {frame}'} |")
    return [*lines, "", growth_line(result["frechet_growth"]) + "."]
