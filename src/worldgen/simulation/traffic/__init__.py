"""Driving: a scene under construction goes in; the ego motion and the tracks of background vehicles come out."""
