"""Predicted against true labels: pixel counts per slice, and the figures, tests and tables made from them."""
