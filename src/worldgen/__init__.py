"""worldgen: rare driving scenes as verified, labelled, trainable video."""

__version__ = "0.1.0"
