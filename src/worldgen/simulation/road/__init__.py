"""Roads: what a scene needs of its road goes in; a `RoadPlan` and the patches and lines of its ground come out."""
