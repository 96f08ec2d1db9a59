"""Clips and data sets as files: real recordings and samples go in; shards, exports and pages come out, and back."""
