"""Samples in the formats of other tools: samples go in; COCO, KITTI, YOLO and output folders come out."""
