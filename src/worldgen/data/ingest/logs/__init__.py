"""Ego logs: a csv, json, parquet or pose file goes in; ego motion on the clock of its video comes out."""
