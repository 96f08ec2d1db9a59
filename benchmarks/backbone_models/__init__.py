"""Pretrained models of published sizes with random weights; only ``benchmarks`` uses them."""
