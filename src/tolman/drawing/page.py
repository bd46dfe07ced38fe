"""A map as a web page: one file that asks no network for anything. page.js is what it does, page.css how it looks."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from tolman.drawing.colors import FAINT, GROUNDS, GROUPS, INK, OTHER, ramp
from tolman.drawing.scene import Coloring, Scene
from tolman.neighbours import Ints

_GAP = re.compile(r"\{\{(\w+)\}\}")
_GRID = 65_535  # places a side: two bytes a coordinate
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


def render_page(scene: Scene) -> str:
    """The whole page."""
    # Nothing from a document may end the script that it stands in.
    data = json.dumps(_data(scene), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    values = {
        "name": escape(scene.name),
        "told": escape(scene.told),
        "policy": escape(_POLICY),
        "style": _beside("page.css").strip(),
        "data": data,
        "script": _beside("page.js").strip(),
    }
    # In one pass: whatever braces a document has stay as they are.
    return _GAP.sub(lambda gap: values[gap[1]], _beside("page.html"))


def _beside(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _data(scene: Scene) -> Mapping[str, Any]:
    """What the script reads. Points come shuffled, always alike, so that no group is drawn over all others."""
    order_N = np.random.default_rng(0).permutation(len(scene.titles))
    low_2 = scene.places_N2.min(axis=0)
    span = float(np.ptp(scene.places_N2, axis=0).max()) or 1.0
    grid_N2 = np.round((scene.places_N2 - low_2) / span * _GRID).astype("<u2")[order_N]
    return {
        "name": scene.name,
        "x": _packed(grid_N2[:, 0]),
        "y": _packed(grid_N2[:, 1]),
        "kept": _packed(scene.kept_N[order_N]),
        "neighbours": scene.neighbours,
        "titles": [scene.titles[row] for row in order_N],
        "snippets": [scene.snippets[row] for row in order_N],
        "colorings": [_coloring(coloring, order_N) for coloring in scene.colorings],
        "labels": [
            {
                "x": round(float((label.x - low_2[0]) / span * _GRID)),
                "y": round(float((label.y - low_2[1]) / span * _GRID)),
                "text": label.text,
                "weight": label.weight,
            }
            for label in scene.labels
        ],
        "themes": {
            theme: {
                "ground": GROUNDS[theme],
                "ink": INK[theme],
                "faint": FAINT[theme],
                "other": OTHER[theme],
                "groups": GROUPS[theme],
                "ramp": ramp(theme),
            }
            for theme in GROUNDS
        },
    }


def _coloring(coloring: Coloring, order_N: Ints) -> Mapping[str, Any]:
    return {
        "name": coloring.name,
        "index": _packed(coloring.index_N[order_N]),
        "groups": coloring.groups,
        "counts": coloring.counts,
        "rest": coloring.rest,
        "ends": coloring.ends,
    }


def _packed(values: np.ndarray) -> str:
    return b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
