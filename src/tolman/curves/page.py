"""A learning curve as a web page: one file, no network, light and dark, numbers under the pointer."""

import json
from collections.abc import Iterator
from html import escape

from tolman.curves.chart import SERIES, Chart, Dot, Line, Shape, lay_out
from tolman.curves.curve import LearningCurve, Moment, spell_seconds

LIGHT = {"ground": "#ffffff", "ink": "#1b1f24", "faint": "#5b6470", "grid": "#e4e7eb", "axis": "#8a939e"}
DARK = {"ground": "#14171b", "ink": "#e8eaed", "faint": "#9aa4b0", "grid": "#2a2f36", "axis": "#6b7480"}
LIGHT |= dict(zip(SERIES, ("#0072b2", "#c25000", "#007a59", "#a8528a", "#0072b2"), strict=True))
DARK |= dict(zip(SERIES, ("#56b4e9", "#f0913c", "#2bc59a", "#e59cc9", "#56b4e9"), strict=True))

_STYLE = """
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 4px; overflow-wrap: anywhere; }
p { margin: 0 0 20px; color: var(--faint); }
.chart { position: relative; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 640px; height: auto; font-family: system-ui, sans-serif; }
#hair { stroke: var(--faint); stroke-width: 1; visibility: hidden; }
#told { position: absolute; top: 0; left: 0; visibility: hidden; pointer-events: none; padding: 8px 11px;
  background: var(--ground); border: 1px solid var(--axis); border-radius: 6px; font-size: 13px; white-space: pre;
  box-shadow: 0 2px 10px rgb(0 0 0 / 18%); font-variant-numeric: tabular-nums; }
details { margin-top: 24px; color: var(--faint); }
summary { cursor: pointer; }
table { border-collapse: collapse; margin-top: 10px; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 14px 3px 0; border-bottom: 1px solid var(--grid); }
th { color: var(--ink); font-weight: 600; }
"""
_SCRIPT = """
const told = document.getElementById("told"), hair = document.getElementById("hair");
const svg = document.querySelector("svg"), moments = JSON.parse(document.getElementById("moments").textContent);
function hide() { told.style.visibility = hair.style.visibility = "hidden"; }
function show(event) {
  const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
  const x = (event.clientX - box.left) / scale;
  let near = moments[0];
  for (const moment of moments) if (Math.abs(moment.x - x) < Math.abs(near.x - x)) near = moment;
  hair.setAttribute("x1", near.x); hair.setAttribute("x2", near.x);
  told.textContent = near.told;
  const place = near.x * scale, left = near.x > svg.viewBox.baseVal.width / 2;
  told.style.left = (left ? place - told.offsetWidth - 14 : place + 14) + "px";
  told.style.top = Math.max(0, event.clientY - box.top - 20) + "px";
  told.style.visibility = hair.style.visibility = "visible";
}
svg.addEventListener("pointermove", show);
svg.addEventListener("pointerdown", show);
svg.addEventListener("pointerleave", hide);
"""


def render_page(curve: LearningCurve) -> str:
    """The page of a curve that holds at least one moment."""
    chart = lay_out(curve)
    moments = [{"x": round(x, 1), "told": _told(moment)} for x, moment in zip(chart.across, curve.moments, strict=True)]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(curve.name)}: how it learned</title>
<style>
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
{_STYLE.strip()}
</style>
<main>
<h1>{escape(curve.name)}: how it learned</h1>
<p>{escape(curve.summary)}</p>
<div class="chart">
{render_svg(chart, curve.summary)}
<div id="told" role="status"></div>
</div>
<details><summary>The numbers</summary>
{_table(curve)}
</details>
</main>
<script type="application/json" id="moments">{json.dumps(moments).replace("<", chr(92) + "u003c")}</script>
<script>
{_SCRIPT.strip()}
</script>
</html>
"""


def render_svg(chart: Chart, told: str) -> str:
    """The chart; colours are CSS variables of the page."""
    top, bottom = chart.tops_and_bottoms[0][0], chart.tops_and_bottoms[-1][1]
    return "\n".join(
        (
            f'<svg viewBox="0 0 {chart.width:g} {chart.height:g}" role="img" aria-label="{escape(told)}">',
            *map(_drawn, chart.shapes),
            f'<line id="hair" y1="{top:g}" y2="{bottom:g}"/>',
            "</svg>",
        )
    )


def _drawn(shape: Shape) -> str:
    color = f"var(--{shape.color})"
    if isinstance(shape, Line):
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.places)
        dashes = ' stroke-dasharray="4 4"' if shape.dashed else ""
        return (
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="{shape.width:g}" '
            f'stroke-linejoin="round" stroke-linecap="round"{dashes}/>'
        )
    x, y = shape.place
    if isinstance(shape, Dot):
        fill = "var(--ground)" if shape.hollow else color
        return (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{shape.radius:g}" fill="{fill}" stroke="{color}" stroke-width="2"/>'
        )
    weight = ' font-weight="600"' if shape.bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{shape.size:g}" text-anchor="{shape.anchor}"{weight}>'
        f"{escape(shape.text)}</text>"
    )


def _told(moment: Moment) -> str:
    lines = [f"step {moment.step:,}, {spell_seconds(moment.seconds)}"]
    lines += [f"{name} {loss:.3f} nats" for name, loss in moment.losses.items()]
    return "\n".join([*lines, f"nDCG@10 {moment.quality:.3f}"] if moment.quality is not None else lines)


def _table(curve: LearningCurve) -> str:
    heads = ["step", "seconds", *(f"{name}, nats" for name in curve.objectives), "nDCG@10"]
    return "\n".join(["<table>", _row("th", heads), *(_row("td", cells) for cells in _cells(curve)), "</table>"])


def _cells(curve: LearningCurve) -> Iterator[list[str]]:
    for moment in curve.moments:
        losses = (f"{moment.losses[name]:.3f}" if name in moment.losses else "" for name in curve.objectives)
        quality = "" if moment.quality is None else f"{moment.quality:.3f}"
        yield [f"{moment.step:,}", f"{moment.seconds:.1f}", *losses, quality]


def _row(kind: str, cells: list[str]) -> str:
    return f"<tr>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells)}</tr>"


def _variables(colors: dict[str, str]) -> str:
    return " ".join(f"--{name}: {color};" for name, color in colors.items())
