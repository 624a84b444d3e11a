"""From labelled slices to weights."""
