"""What a reader of a report must know of wafer maps."""

from fabsight.task import TableView

VIEWS = {
    "wafer": TableView(
        first={
            "lot": "lot",
            "wafer": "wafer",
            "slot": "slot",
            "yield_pct": "yield %",
            "pattern": "pattern",
            "probability": "probability",
            "fails": "fails",
            "systematic_fails": "systematic",
            "background_pct": "background %",
            "edge_covered_deg": "edge covered deg",
        },
        charted=("yield_pct",),
    ),
    "claims": TableView(),  # text: for the CSV file
    "dies": TableView(),
}
GUIDE = {
    "Map": (
        "Notch at 6 o'clock, clock angles clockwise. Rings part the zones centre, inner, "
        "mid-radius, outer and edge, equally wide. Green: dies that pass. Dark red: failing dies "
        "of a pattern. Pale red: failing dies of the random background. Purple: places that a "
        "contradicted claim is about."
    ),
    "What the check compares": (
        "Each claim is compared with measurements of the map: counts, rates by zone and quadrant, "
        "groups of failing dies, the edge ring, lines, repeats. Supported, contradicted, or not "
        "checkable where the measurement is too near a border to decide."
    ),
    "Not judged": (
        "Root causes: they are hypotheses from the map alone, whatever the check says, unless "
        "process records are given. The probability is the classifier's own, calibrated on "
        "WM-811K: products unlike those may differ."
    ),
}
