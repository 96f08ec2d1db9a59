"""Rare road users put into real labelled pictures; a labelled set enters, the same set with inserts leaves."""
