"""Restyling: labelled clips and a requested look come in, clips in other weather or light with their labels go out."""
