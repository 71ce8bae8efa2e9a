"""Adaptation: what to label, heads and calibration fitted on labels, model folders with both."""
