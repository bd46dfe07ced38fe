"""The page: built files that ship with the package, each read once; an address of the page is the page."""

from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from tolman.atlas.refusals import NotThere

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "woff2": "font/woff2",
    "png": "image/png",
}
_FOREVER = "public, max-age=31536000, immutable"


def page_routes() -> APIRouter:
    """What isn't /api."""
    routes = APIRouter(include_in_schema=False)
    held = {name: file.read_bytes() for name, file in _walk(files("tolman.atlas") / "static")}

    @routes.get("/{path:path}")
    async def page(request: Request, path: str) -> Response:
        name = path if path in held else ""
        if not name:
            lost = path.startswith(("api/", "assets/")) and path != "api/docs"
            if lost or "index.html" not in held:
                raise NotThere(f"there is nothing at /{path[:100]}")
            name = "index.html"
        kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        cache = _FOREVER if name.startswith("assets/") else "no-cache"
        return Response(held[name], media_type=kind, headers={"cache-control": cache})

    return routes


def _walk(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    if not folder.is_dir():
        return found
    for each in folder.iterdir():
        name = f"{prefix}{each.name}"
        found += _walk(each, f"{name}/") if each.is_dir() else [(name, each)]
    return found
