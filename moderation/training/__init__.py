"""Training: builds the shipped fold tables and models. Needs the extra [train]."""
