"""What is drawn for a publication: networks side by side, feature maps, noisy slices, curves."""
