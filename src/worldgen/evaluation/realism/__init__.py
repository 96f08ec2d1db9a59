"""Whether detectors of the real world recognise what clips show: recall, class agreement and precision by class, size
of label, weather and light."""
