"""Streets: a scene under construction goes in; pedestrians, parked vehicles, signals and static objects are added."""
