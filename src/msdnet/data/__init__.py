"""Labelled and unlabelled slices, folds, augmentation and the phantom: everything training sees."""
