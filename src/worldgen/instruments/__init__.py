"""Networks that read pixels back: clips enter; detections, attributes, motion and judgements of boxes leave."""
