"""The public layouts: how their folders and files are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FolderLayout:
    """How a public layout names its files.

    `frames` are those of a trajectory and `recipe` is the data recipe where no side file says otherwise. `continued`
    means that numbers go on from one split to the next; they have at least `digits` digits.
    """

    name: str
    images: str
    annotations: str
    prefix: str
    frames: int
    recipe: str
    digits: int
    continued: bool


LAYOUTS = {
    "published": FolderLayout("published", "image", "annotation", "COS", 20, "seqcsist", 1, False),
    "csist-100k": FolderLayout("csist-100k", "cso_img", "Annotations", "CSO", 1, "csist-100k", 5, True),
}
