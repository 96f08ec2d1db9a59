"""The class that DiffusionPipeline.from_pretrained(..., trust_remote_code=True) loads; it needs worldgen."""

from worldgen.models.native.pipeline import WorldPipeline

__all__ = ["WorldPipeline"]
