"""Evaluation: figures on labelled posts, and what rules cost, catch and miss."""
