"""Numerics that two or more tasks use."""
