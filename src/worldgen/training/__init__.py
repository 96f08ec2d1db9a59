"""Training of codec, world, student and adversarial models: a config and data sets enter, a run folder with
checkpoints and the trained model leaves."""
