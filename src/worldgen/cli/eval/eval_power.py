"""What can a gain study detect with the objects of a test set? Run this before the study: it simulates the scores of
two arms and judges them exactly as 'worldgen eval gain' does, hundreds of times.

  worldgen eval power --set dusk=camvid/test_dusk_a.coco.json --ask pedestrian=0.3 --seeds 3 5 10 --spread 0.02
  worldgen eval power --config eval/protocols/insert_gain.yaml --ask pedestrian=0.2,cyclist=0.3

--spread and the AP50 of the real-only arm come from a pilot; both depend on the steps and the size of the pictures."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval power``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("which objects are judged")
    what.add_argument(
        "--set", action="append", default=[], dest="sets", metavar="NAME=URL",
        help="a data set, a COCO file with its pictures, or a KITTI or YOLO folder; repeated",
    )  # fmt: skip
    what.add_argument(
        "--config", action="append", default=[], metavar="FILE", help="config of a gain study: its test pictures"
    )
    what.add_argument(
        "--ask", action="append", default=[], dest="asked", metavar="GROUP=AP50",
        help="subject, with the AP50 expected of real pictures alone; several groups joined by commas; repeated "
        "(default pedestrian=0.3)",
    )  # fmt: skip
    what.add_argument("--light", default="", choices=["", "day", "dusk", "night"], help="only pictures of this light")
    what.add_argument("--size", default="", metavar="WxH", help="bring pictures to this size (default: their own)")
    what.add_argument("--min-height", type=float, default=8.0, metavar="PX", help="of an object (default 8)")
    how = parser.add_argument_group("how runs vary")
    how.add_argument("--seeds", type=int, nargs="+", default=[5], metavar="N", help="runs of each arm (default 5)")
    how.add_argument(
        "--spread", type=float, default=0.02, metavar="AP50", help="of one arm over seeds, from a pilot (default 0.02)"
    )
    how.add_argument(
        "--agreement", type=float, default=0.8, metavar="R",
        help="correlation of the scores that two runs give one object (default 0.8)",
    )  # fmt: skip
    how.add_argument(
        "--clip-share", type=float, default=0.2, metavar="P", help="variance that objects of a clip share (default 0.2)"
    )
    how.add_argument(
        "--false-alarms", type=float, default=8.0, metavar="N", help="for each object, at any score (default 8)"
    )
    how.add_argument("--smallest", type=float, default=0.02, metavar="AP50", help="gain that matters (default 0.02)")
    how.add_argument("--experiments", type=int, default=100, metavar="N", help="simulated studies (default 100)")
    parser.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate and report."""
    from worldgen.api.measures.measure_power import PowerOptions, measure_power, power_lines
    from worldgen.cli.eval import eval_clips

    record = measure_power(eval_clips.options_from(args, PowerOptions))
    lines = [
        line for name, rows in record["sets"].items() for row in rows for line in power_lines(name, row, args.smallest)
    ]
    return eval_clips.finish(args, record, lines)
