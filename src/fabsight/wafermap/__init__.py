"""Wafer maps and questions about them to claims that can be checked, in sentences.

Source systems: WaferSAGE (arXiv 2604.27629), NVIDIA's Cosmos Reason recipe on WM-811K. `wafer` is
the map, `formats` reads it from the files fabs have, `facts` measures it, `claims` is the answer.
"""
