"""The card of the shipped model, from the JSON that training, benchmarks and measures wrote; no number is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path

from worldgen.evaluation.measures.drift import growth_line

REPOSITORY = Path(__file__).resolve().parents[1]
NAMES = {"control": "Does it move as told?", "attributes": "Does it show what the words say?", "labels": "Are its labels true?"}


def read_results(folder: Path) -> dict[str, dict]:
    """Every JSON file of a folder by its stem; {} where there is none."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def card(out: Path) -> str:
    record = json.loads((out / "training.json").read_text())
    results = read_results(REPOSITORY / "benchmarks" / "results")
    measures = read_results(REPOSITORY / "eval" / "results")
    steps = read_results(REPOSITORY / "eval" / "results" / "steps")
    parameters = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in record["parameters"].items())
    lines = [
        "# The shipped model", "",
        "A small driving world model: past frames, ego motion, words and a scene layout in, video latents out. It is a "
        "reference and a working default for a laptop CPU, **not photorealistic and not for judging real systems**. "
        "What it obeys and how long it holds is measured below, on scenes no training has seen, by instruments trained "
        "on drawn scenes only.", "",
        "| | |", "| --- | --- |",
        f"| size and rate | {record['size_px'][0]} x {record['size_px'][1]} at {record['fps']:g} frames/s |",
        f"| conditions honoured | {', '.join(record['accepts'])} |",
        f"| parameters | {parameters} |",
        f"| weights | {record['weights_mb']} MB, float16 safetensors, hash `{record['weights_hash']}` |",
        "| licence | Apache-2.0 |", "",
        "## Data", "", "| data set | clips | hours | licences | sources |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for data in record["data"]:
        sources = ", ".join(f"{name} {count}" for name, count in sorted(data["sources"].items()))
        lines.append(f"| {data['name']} | {data['clips']} | {data['hours']} | {', '.join(data['licences'])} | {sources} |")
    lines += [
        "", "Rendered scenes have exact ego motion, captions and layouts. Real clips have captions, and ego motion where a log "
        "gives it. Splits are by drive.", "", "## Training", "",
        "The recipe is `pipelines/train_default.sh`. The runs behind these weights, in order (records in `training.json`):"
        if record["runs"] else "The recipe is `pipelines/train_default.sh`. **Only the codec is trained so far**; the "
        "transformer and the text encoder are as they were initialised and correct nothing. What moves is the past picture, "
        "moved by the ego motion, the layout's depth and the things' own motion. Words change nothing after the drawn start.", "",
        "| run | steps | minutes | validation error, first to last |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    if record["codec_run"]:
        lines.append(_run_row("codec", record["codec_run"]))
    lines += [_run_row(run["run"], run) for run in record["runs"]]
    if record.get("averaged_runs", 1) > 1:
        lines += ["", f"The transformer's weights are the mean of those of the last {record['averaged_runs']} runs."]
    lines += [
        "", "The validation error of a world run is the mean velocity error over the noise levels in `training.json`.",
    ]  # fmt: skip
    notes = record.get("notes", []) + [note for run in [record["codec_run"], *record["runs"]] for note in run.get("notes", ())]
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


def _samples(result: dict) -> list[str]:
    psnr = result["psnr_db"]
    lines = [
        "", "## Samples", "",
        f"Of {result['clips']} held-out scenes, the clips nearest to the drawn ones and the furthest from them (PSNR: median "
        f"{psnr['median']} dB, best {psnr['best']}, worst {psnr['worst']}). `python pipelines/model_sheets.py`.", "",
        "![The best clips, each below the drawn one](../../docs/samples_good.jpg)",
        "![The worst clips, each below the drawn one](../../docs/samples_bad.jpg)",
    ]  # fmt: skip
    if "real" in result:
        real = result["real"]
        lines += [
            "", f"{real['clips']} real clips of {len(real['drives'])} drives, gone on with from their first {real['context_frames']} frames "
            "without a layout, by one manoeuvre after the other:", "", "![Real clips continued](../../docs/samples_real.jpg)",
        ]  # fmt: skip
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
        "", "## Codec", "",
        f"{result['frames']} frames; encodes {result['encode_frames_per_s']} and decodes {result['decode_frames_per_s']} "
        f"frames/s on {result['threads']} threads. `python benchmarks/codec.py`. The reference is a public autoencoder of "
        "equal stride with 32 latent channels; `codec.json` also has the bare transform of 16, 32 and 48. Sources other than the training data are used for measuring only.",
        "", head, "| --- " * head.count(" | ") + "| --- |",
    ]  # fmt: skip
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
        ("`worldgen sample`, 25 frames, cold start", f"{result['sample_25_frames_cold']['seconds']} s, peak {result['sample_25_frames_cold']['peak_mib']} MiB"),
        ("`worldgen --help`", f"{result['help_s']} s"),
        ("forward, share of the matrix-product peak", f"{result['forward']['share_of_peak']:.0%}"),
        ("training step, share of the matrix-product peak", f"{result['training_step']['share_of_peak']:.0%}"),
        (f"rollout, s a frame at 50 and at {late.rsplit('_', 1)[1]}", f"{rollout['s_per_frame_at_50']} and {rollout[late]}, ratio {rollout['ratio']}"),
        ("streaming, decoded frames a second", f"{rollout['frames_per_s']}"),
        (f"sampler steps alone, 25 frames of {rollout['steps']} steps", f"{rollout['sampler_s_for_25_frames']} s"),
    ]  # fmt: skip
    return [
        "", "## Speed", "", f"{result['threads']} CPU threads, PyTorch {result['torch']}. `python benchmarks/speed.py`.", "",
        "| what | measured |", "| --- | --- |", *[f"| {name} | {value} |" for name, value in rows],
    ]  # fmt: skip


def cell(value) -> str:
    """An interval as ``0.91 [0.88, 0.94]``, a number as it is, a dash for what is not defined."""
    if isinstance(value, dict):
        if value.get("value") is None:
            return "-"
        low, high = value.get("low"), value.get("high")
        return f"{value['value']:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def measures_section(measures: dict[str, dict]) -> list[str]:
    """Control, attributes, labels and drift of the shipped weights beside the same scenes drawn."""
    lines = []
    for name, title in NAMES.items():
        if name in measures:
            lines += ["", f"## {title}", "", *_head(measures[name])]
            lines += {"control": _control, "attributes": _nested, "labels": _nested}[name](measures, name)
    if "control_real" in measures:
        result = measures["control_real"]
        lines += [
            "", "## Does it move real clips as told?", "", f"{result['clips']} real clips gone on with from eight frames, without a layout, "
            "by one manoeuvre after the other from the speed their pixels show (`pipelines/model_sheets.py --real`); the instrument was trained on drawn clips only.", "", "| measure | the model |", "| --- | --- |",
            *[f"| {row} | {cell(value)} |" for row, value in {**result["rows"], **result["controls"]}.items()],
        ]  # fmt: skip
    for name, shown in (("attributes_noise", _nested), ("labels_noise", _nested), ("control_noise", _control)):
        if name in measures:
            lines += ["", f"## {NAMES[name.removesuffix('_noise')]} Begun from words alone", "", *_head(measures[name]), *shown(measures, name)]
    if "drift" in measures:
        lines += _drift(measures["drift"])
    return lines


def _head(result: dict) -> list[str]:
    start = "two drawn frames, which are not judged" if result.get("start") == "sketch" else "noise"
    steps = result.get("sampler", {}).get("steps")
    return [f"`{result['command']}`: {result['clips']} clips of {result['frames']} frames, begun from {start}, {steps} sampler steps.", ""]


def _control(measures: dict[str, dict], name: str) -> list[str]:
    result, drawn = measures[name], measures.get(f"{name}_rendered", {"rows": {}})
    lines = ["| measure | the model | the same scenes drawn |", "| --- | --- | --- |"]
    lines += [f"| {row} | {cell(value)} | {cell(drawn['rows'].get(row))} |" for row, value in result["rows"].items()]
    for row, value in result["controls"].items():
        fails = "must be far larger than above" if row.endswith("_m") else "must be about 0"
        lines.append(f"| {row} ({fails}) | {cell(value)} | |")
    return lines


def _nested(measures: dict[str, dict], name: str) -> list[str]:
    """Rows that hold a dict of columns; the control is the last column."""
    result = measures[name]
    columns = [c for c in next(iter(result["rows"].values()))]
    controls = result.get("controls", {})
    extra = list(next(iter(controls.values()), {}))
    head = ["what", *columns, *(f"{c} (must fail)" for c in extra)]
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for row, values in result["rows"].items():
        cells = [cell(values.get(c)) for c in columns] + [cell(controls.get(row, {}).get(c)) for c in extra]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    if result.get("not_judged"):
        lines += ["", "Not judged, because the instrument is not good enough: " + ", ".join(result["not_judged"]) + "."]
    return lines


def _steps(results: dict[str, dict], weights_hash: str) -> list[str]:
    """What more sampler steps would give: each measure at every number of steps that was measured, of these weights only."""
    of = {name: result for name, result in results.items() if result["weights_hash"] == weights_hash}
    counts = sorted({int(name.rsplit("-", 1)[1]) for name in of})
    if len(counts) < 2:
        return []
    wanted = [
        *(("control", (row,)) for row in ("speed_spearman", "yaw_rate_spearman_turning", "speed_ratio", "yaw_rate_ratio", "position_error_2s_m")),
        *(("attributes", (what, place)) for what in ("weather", "light") for place in ("first", "last")),
        *(("labels", (group, "relative")) for group in ("vehicle", "pedestrian", "cyclist")),
    ]  # fmt: skip
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
        "", "## One step, or many?", "", f"The first {clips} of the clips above in {' and '.join(map(str, counts))} sampler steps (`eval/run_steps.sh`). "
        "The network practises painting a frame in one step, from pure noise.", "",
        "| measure | " + " | ".join(f"{count} step{'s' * (count > 1)}" for count in counts) + " |", "| --- " * (len(counts) + 1) + "|", *lines,
    ]  # fmt: skip


def _drift(result: dict) -> list[str]:
    starts = [window["first_frame"] for window in result["windows"]]
    lines = ["", "## How long does it hold?", "", *_head(result)]
    lines += ["| from frame | " + " | ".join(map(str, starts)) + " | leaves its band |", "| --- " * (len(starts) + 2) + "|"]
    for name in (n for n in result["windows"][0] if n != "first_frame"):
        values = []
        for window in result["windows"]:
            value = window[name].get("value") if isinstance(window[name], dict) else window[name]
            values.append("-" if value is None else f"{value:.2f}")
        frame = result["leaves_band_at_frame"].get(name)
        lines.append(f"| {name} | " + " | ".join(values) + f" | {'stays' if frame is None else f'at frame {frame}'} |")
    return [*lines, "", growth_line(result["frechet_growth"]) + "."]
