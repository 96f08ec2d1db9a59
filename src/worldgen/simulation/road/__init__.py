"""Roads: needs (kind, manoeuvre, speed, features) go in; a `RoadPlan` and the patches and lines of its ground come out."""
