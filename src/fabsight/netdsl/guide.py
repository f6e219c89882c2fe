"""What a reader of a report must know of layouts: what is measured, drawn, checked and not."""

from fabsight.task import TableView

VIEWS = {
    "metrology": TableView(
        first={
            "cd": "CD",
            "cd_se": "CD std. error",
            "space_left": "space left",
            "space_right": "space right",
            "pitch_left": "pitch left",
            "pitch_right": "pitch right",
            "lwr": "LWR",
            "lwr_se": "LWR std. error",
            "ler_left": "LER left",
            "ler_right": "LER right",
            "diameter": "via diameter",
            "diameter_se": "diameter std. error",
            "overlay": "overlay",
            "enclosure": "enclosure",
            "id": "id",
            "wire": "on wire",
            "orientation": "orientation",
        },
        charted=("cd", "diameter"),
        by="kind",
    )
}

GUIDE = {
    "Overlay": (
        "Blue: the outline of metal as the program has it. Yellow: of vias. Red: shapes the image "
        "hardly shows. Purple boxes: edges in the image that the program lacks. Under each picture "
        "its enlargement and, where the scale is known, a scale bar."
    ),
    "What the check compares": (
        "The program's outline is laid over the pixels; the front end that proposed it is not "
        "asked. Agreement: the share of the image's structure that the program predicts. Edges "
        "explained: the share of the image's edges along the outline. Edges supported: the share "
        "of the outline where the image shows an edge. Outline off: how far the outline lies from "
        "the edge convention, px. Decided by: the measure that took most from the score, which "
        "weighs how much worse these are than on right programs of simulated images as noisy and "
        "as rough."
    ),
    "Not judged": (
        "Polarity: an outline is right whichever side is metal. Vias in metal on a binary image. "
        "Anything else the image does not show. "
        "The check was calibrated on simulated images."
    ),
    "Edges": (
        "Every length is between edges of one convention, the setting `edge`: mid, mid-sidewall "
        "(CD at half height); outer, the foot of the sidewall (bottom CD); inner, its top (top CD)."
    ),
    "Measurements": (
        "CD: mean width of a straight run of a wire. Left and right are up and down on horizontal "
        "runs. LER and LWR are 3 sigma, unbiased: the noise of the image is taken off. Standard "
        "errors hold scatter, not the systematic error of the convention. Empty: it could not be "
        "measured. Overlay: via centre minus wire centre, across the wire, positive to the right "
        "or down. All definitions: docs/netdsl-metrology.md."
    ),
}
