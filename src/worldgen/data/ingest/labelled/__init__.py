"""Labelled pictures of other tools: a COCO, KITTI or YOLO folder goes in; samples with labels come out."""
