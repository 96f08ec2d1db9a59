"""Weighted mean of two sets of weights of one instrument: the pictures of the first are not forgotten for the second.

Purpose: fine-tuned weights read new pictures better and old ones worse; their mean with the start keeps most of both.
Hardware: one CPU core. Time: a second.

    python pipelines/mean_weights.py START FINE_TUNED --share 0.6 --out assets/instruments/verifier

Source: Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022), arXiv:2109.01903.
"""

from __future__ import annotations

import argparse

from worldgen.core.errors import InputError
from worldgen.instruments.instrument_files import save_weights, stored_instrument


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", help="folder of the weights that the training started from")
    parser.add_argument("fine_tuned", help="folder of the weights that it ended with")
    parser.add_argument("--share", type=float, default=0.6, help="weight of the fine-tuned ones (default 0.6)")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if not 0 <= args.share <= 1:
        raise InputError("--share", args.share, "0 to 1")
    first, second = stored_instrument(args.start), stored_instrument(args.fine_tuned)
    if first.config != second.config:
        raise InputError("sizes of the two networks", second.config, str(first.config))
    mean = {
        name: tensor.lerp(second.tensors[name], args.share) if tensor.is_floating_point() else second.tensors[name]
        for name, tensor in first.tensors.items()
    }
    config = {name: value for name, value in first.config.items() if name != "instrument_version"}
    print(save_weights(args.out, config, mean))


if __name__ == "__main__":
    main()
