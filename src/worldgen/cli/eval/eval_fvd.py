"""How far are clips from real ones? A Fréchet distance with a protocol card: every setting that changes the number, its
interval, the distance of real clips to other real clips, and an unbiased kernel distance for small sets.

Only the distance in I3D features is called FVD; the weights of I3D are not shipped (docs/guides/distances.md).
fd-worldgen is a small extractor that ships and runs on a laptop; its distances compare only with each other.

  worldgen eval fvd --reference sets/real --generated outputs/clips
  worldgen eval fvd --reference sets/real --model shipped --clips 128 --out card.json
  worldgen eval fvd --reference sets/real --generated sets/mine --extractor i3d --weights i3d_torchscript.pt"""

from __future__ import annotations

import argparse
from typing import Any

from worldgen.cli.eval.eval_clips import RENDERED, add_sampling_options

EXTRACTORS = ("fd-worldgen", "i3d", "videomae", "dinov2")
RESIZES = ("area", "squash", "squash-tf1", "short-side", "magicdrive", "magicdrive-212")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval fvd``."""
    what = parser.add_argument_group("what is compared")
    what.add_argument(
        "--reference", nargs="+", required=True, metavar="URL",
        help=f'real clips: data sets, folders of videos, saved features, or "{RENDERED}" for held-out rendered scenes',
    )  # fmt: skip
    what.add_argument("--generated", nargs="+", default=[], metavar="URL", help="the clips to judge, in the same forms")
    what.add_argument(
        "--model", default="", metavar="DIR",
        help='judge clips that a model generates of held-out scenes: "shipped", or the folder of a saved pipeline',
    )  # fmt: skip
    what.add_argument(
        "--split", default="", choices=["", "train", "val", "test"], help="split of the reference data sets"
    )
    what.add_argument(
        "--tag", action="append", default=[], help="only clips of data sets with this tag; may be repeated"
    )
    what.add_argument("--limit", type=int, default=0, metavar="N", help="at most N clips of each URL (default: all)")
    what.add_argument("--clips", type=int, default=64, metavar="N", help="clips of --model and of rendered scenes (64)")
    add_protocol_options(parser)
    model = parser.add_argument_group("clips of a model")
    model.add_argument("--length", type=int, default=25, metavar="N", help="frames of each clip (default 25)")
    add_sampling_options(model)
    out = parser.add_argument_group("output")
    out.add_argument("--out", default="", metavar="FILE", help="write the card as JSON")
    out.add_argument(
        "--save-features", default="", metavar="FOLDER", help="keep both sets of features for later commands"
    )
    out.add_argument("--json", action="store_true", help="print the card as JSON instead of lines")


def add_protocol_options(parser: argparse.ArgumentParser) -> None:
    """The options that change the number."""
    how = parser.add_argument_group("protocol")
    how.add_argument("--extractor", default="fd-worldgen", choices=EXTRACTORS, help="default fd-worldgen")
    how.add_argument("--weights", default="", metavar="PATH", help="weights of i3d (file), videomae or dinov2 (folder)")
    how.add_argument("--resize", default="", choices=["", *RESIZES], help="default area for fd-worldgen, else squash")
    how.add_argument("--frames", type=int, default=16, metavar="N", help="frames of each clip; 0: all (default 16)")
    how.add_argument("--fps", type=float, default=0.0, help="bring all clips to this rate (default: they must agree)")
    how.add_argument(
        "--skip", type=float, default=None, metavar="S",
        help="seconds left out at the start, on both sides (default 0; for --model, its context frames)",
    )  # fmt: skip
    how.add_argument(
        "--position", default="start", choices=["start", "centre", "end"], help="which frames (default start)"
    )
    how.add_argument("--draws", type=int, default=200, metavar="N", help="bootstrap resamples (default 200)")
    how.add_argument("--seed", type=int, default=0, help="of held-out scenes, choices and resamples (default 0)")
    how.add_argument("--skip-broken", action="store_true", help="leave out and list clips that cannot be decoded")
    how.add_argument("--device", default="cpu", help="where the extractor runs (default cpu)")


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.api.measures.measure_fvd import FvdOptions, measure_fvd
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress

    record = measure_fvd(eval_clips.options_from(args, FvdOptions), progress=progress)
    return eval_clips.finish(args, record, lines(record))


def lines(record: dict[str, Any]) -> list[str]:
    """The card as text: the distance, warnings, and the distance of each tag."""
    out = [record["line"], *(f"warning: {warning}" for warning in record["warnings"])]
    out += [f"left out: {reason}" for reason in record["broken"]]
    if record["slices"]:
        width = max(len(tag) for tag in record["slices"])
        out.append(f"{'tag':{width}}  clips  kernel distance [95 %]")
        for tag, row in sorted(record["slices"].items(), key=lambda pair: -(pair[1]["kernel_distance"] or 0)):
            low, high = row["interval_95"]
            out.append(
                f"{tag:{width}}  {row['generated_clips']:5}  {row['kernel_distance']:.4g} [{low:.4g}, {high:.4g}]"
            )
    if record["bias"]:
        out.append(f"distance at infinitely many clips, extrapolated: {record['bias']['at_infinity']}")
    return out
