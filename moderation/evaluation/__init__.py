"""Evaluation: figures on labelled posts. Needs the extra [eval]."""
