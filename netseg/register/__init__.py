"""Scans of different days brought into one frame."""
