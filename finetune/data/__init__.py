"""Labelled tables → training, validation and test rows."""
