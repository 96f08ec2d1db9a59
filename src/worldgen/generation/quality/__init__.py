"""Quality of clips: a clip and its scene come in, a scorecard and the verdict of a calibrated gate go out."""
