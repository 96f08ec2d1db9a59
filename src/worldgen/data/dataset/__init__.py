"""Data sets: samples go in; shards with an index come out, read back by key, split and checked."""
