"""Data sets as people look at them: samples come in, labelled pictures, contact sheets and browser pages go out."""
