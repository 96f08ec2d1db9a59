"""Distances between sets of clips; clips enter, a Fréchet distance with its protocol card leaves."""
