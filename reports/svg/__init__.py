"""Plots as inline SVG, drawn from numbers alone: no script, no style attribute, colours by class."""
