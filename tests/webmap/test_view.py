import numpy as np
import pytest
import shapely

from borderrisk.errors import ConfigError, DataError
from borderrisk.outputs.scene import Focus
from borderrisk.outputs.webmap.columns import pack_columns
from borderrisk.outputs.webmap.payload import payload
from borderrisk.outputs.webmap.relief import hillshade, relief_image
from borderrisk.outputs.webmap.view import make_view, meshes


def changed(scene, **parts):
    return type(scene)(**{**vars(scene), **parts})


def test_the_whole_map_is_cut_to_the_scored_cells(scene):
    view = make_view(scene, None)
    scored = np.isfinite(scene.cells["risk"].to_numpy())
    assert view.mask.sum() == scored.sum()
    assert view.mask.any(axis=0)[[0, -1]].all()
    assert view.mask.any(axis=1)[[0, -1]].all()
    assert (view.title, view.title_fa) == ("Test border", "مرز آزمایشی")


def test_a_focus_opens_on_its_window_and_keeps_a_margin(scene):
    view = make_view(scene, "east")
    assert view.bounds == (60.3, 30.4, 61.4, 31.9)
    assert view.title_fa == "سمت شرق"
    lon, lat = scene.grid.lonlat()
    inside = (lon > 60.3) & (lon < 61.4) & (lat > 30.4) & (lat < 31.9)
    scored = np.isfinite(scene.cells["risk"].to_numpy())
    kept = np.zeros_like(scored)
    kept[view.rows, view.cols] = view.mask
    assert kept[inside & scored].all()
    assert kept.sum() < scored.sum()
    assert kept.sum() > (inside & scored).sum()


def test_an_unknown_focus_names_the_known_ones(scene):
    with pytest.raises(ConfigError, match=r"'west'.*east"):
        make_view(scene, "west")


def test_a_window_without_scored_cells_is_an_error(scene):
    far = changed(scene, focuses=(Focus("sea", (50, 20, 51, 21), "Sea"),))
    with pytest.raises(DataError, match="sea"):
        make_view(far, "sea")
    unscored = changed(scene, cells=scene.cells[["exposure"]])
    with pytest.raises(DataError, match="risk"):
        make_view(unscored, None)


def bilinear(mesh, x, y):
    x0, y0, x1, y1 = mesh["box"]
    k = mesh["k"]
    u, v = (x - x0) / (x1 - x0) * (k - 1), (y - y0) / (y1 - y0) * (k - 1)
    i, j = (np.clip(np.floor(w).astype(int), 0, k - 2) for w in (u, v))
    s, t = u - i, v - j
    out = []
    for part in (mesh["a"], mesh["b"]):
        n = np.reshape(part, (k, k))
        top = (1 - s) * n[j, i] + s * n[j, i + 1]
        out.append((1 - t) * top + t * ((1 - s) * n[j + 1, i] + s * n[j + 1, i + 1]))
    return out


@pytest.mark.parametrize("focus", [None, "east"])
def test_meshes_agree_with_the_projection(scene, focus):
    view = make_view(scene, focus)
    mesh = meshes(view)
    rng = np.random.default_rng(0)
    rows, cols = view.mask.shape
    col, row = rng.uniform(0, cols, 300), rng.uniform(0, rows, 300)
    lon, lat = bilinear(mesh["toLonLat"], col, row)
    x, y = scene.grid.project(lon, lat)
    west, _, _, north = view.metres
    assert np.allclose((x - west) / 10_000, col, atol=0.03)
    mercator_x = lon * 20037508.342789244 / 180
    mercator_y = np.log(np.tan((90 + lat) * np.pi / 360)) * 20037508.342789244 / np.pi
    back_col, back_row = bilinear(mesh["toGrid"], mercator_x, mercator_y)
    assert np.allclose(back_col, (x - west) / 10_000, atol=0.02)
    assert np.allclose(back_row, (north - y) / 10_000, atol=0.02)


def test_runs_and_ids_lead_back_to_the_cells(scene):
    view = make_view(scene, "east")
    grid = payload(view, pack_columns(view), "en")["grid"]
    mask = np.zeros((grid["rows"], grid["cols"]), bool)
    for row, first, length in np.reshape(grid["runs"], (-1, 3)):
        mask[row, first : first + length] = True
    assert (mask == view.mask).all()
    row, col = (int(part[0]) for part in np.nonzero(mask))
    digits = grid["digits"]
    cell_id = f"r{row + grid['row0']:0{digits}d}c{col + grid['col0']:0{digits}d}"
    whole = np.zeros(scene.grid.shape, bool)
    whole[row + grid["row0"], col + grid["col0"]] = True
    assert scene.grid.cell_ids(whole).tolist() == [cell_id]


def test_hillshade_is_lit_from_the_north_west():
    y, x = np.mgrid[:50, :50].astype(float)
    flat = hillshade(np.zeros((50, 50)), 100.0)
    assert np.allclose(flat, np.sin(np.radians(45)))
    towards = hillshade(60 * (x + y), 100.0)  # rises to the south-east: faces the light
    away = hillshade(-60 * (x + y), 100.0)
    assert towards.mean() > flat.mean() > away.mean()


def test_relief_is_one_small_inline_image(scene):
    image = relief_image(make_view(scene, None))
    assert image.uri.startswith("data:image/webp;base64,")
    assert len(image.uri) < 400_000
    west, south, east, north = image.bounds
    assert shapely.box(west, south, east, north).contains(shapely.Point(60, 31))
    assert relief_image(make_view(changed(scene, relief=None), None)) is None
