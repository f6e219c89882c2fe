"""The sections of what a run says of its inputs together: findings, pictures, tables as files."""

import json
from pathlib import Path
from typing import Any

from fabsight.report.entries import Place
from fabsight.report.markup import element, escape, section
from fabsight.report.pictures import WIDEST_PX, picture

LIST = "together.json"


def together(place: Place, folder: Path) -> list[tuple[str, str]]:
    """(title, section) of each group of inputs that the run in `folder` says something of."""
    path = place.run / folder / LIST
    if not path.is_file():
        return []
    groups = json.loads(path.read_bytes())
    return [(str(group["name"]), _section(place, folder, group)) for group in groups]


def _section(place: Place, folder: Path, group: dict[str, Any]) -> str:
    title = str(group["name"])
    listed = element("ul", "".join(element("li", escape(said)) for said in group["findings"]))
    shown = ""
    for caption, name in group["pictures"].items():
        file = (folder / name).as_posix()
        image = picture(place.run, file, WIDEST_PX, f"{title}: {caption}")
        shown += element("figure", image + element("figcaption", escape(caption)))
    links = " ".join(
        place.link((folder / file).as_posix(), name) for name, file in group["tables"].items()
    )
    content = listed + element("div", shown, class_="together")
    return section(title, content + element("p", links, class_="files"), title.replace(" ", "-"))
