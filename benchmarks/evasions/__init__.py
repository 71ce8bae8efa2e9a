"""Evasion techniques by kind, written without the engine's own fold tables."""
