"""Predicted against true labels: pixel counts per slice, and the figures made from them."""
