"""Ingest of real recordings: videos, logs, boxes and captions go in; samples in shards come out."""
