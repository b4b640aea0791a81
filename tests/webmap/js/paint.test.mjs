import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';
const BR = load('base', 'codec', 'mesh', 'cells', 'paint');

const RED = 0xff0000ff;
const grid = { rows: 2, cols: 2, row0: 0, col0: 0, digits: 3, runs: [0, 0, 2, 1, 0, 2] };
const cells = new BR.Cells(grid, {}, null);
// One cell is 1,000 m; the window's top left corner is at (0, 0).
const mesh = { k: 3, box: [-1000, -3000, 3000, 1000], a: [-1, 1, 3, -1, 1, 3, -1, 1, 3], b: [3, 3, 3, 1, 1, 1, -1, -1, -1] };

function paint(raster, { px = 125, hatch = null, x0 = 0, y0 = 0 } = {}) {
  const pixels = new Uint32Array(256);
  const layer = { mesh, levels: BR.pyramid(raster, 2, 2, BR.prominence(2, false)), lut: BR.lut(['#ff0000', '#00ff00']), hatch };
  BR.paint(pixels, 16, { x0, y0, px, gx: 0, gy: 0 }, layer);
  return (x, y) => pixels[y * 16 + x];
}

test('colours are opaque words', () => {
  assert.equal(BR.rgba('#ff0000'), RED);
  assert.equal(BR.rgba('#010203'), 0xff030201);
});

test('a code on an edge belongs to the class that begins there', () => {
  assert.deepEqual([9, 10, 19, 20].map((code) => BR.classOf(code, [10, 20])), [1, 2, 2, 3]);
});

test('the class raster leaves out missing cells and those below the threshold', () => {
  const codes = Uint8Array.from([3, 12, 255, 30]);
  const scale = { n: 255 };
  assert.deepEqual([...BR.classRaster(cells, codes, scale, [10, 20], 0, null)], [4, 8, 0, 12]);
  assert.deepEqual([...BR.classRaster(cells, codes, scale, [10, 20], 12, Uint8Array.from([0, 1, 0, 255]))], [0, 9, 0, 12]);
});

test('a pixel takes the colour of the cell under it and none outside', () => {
  const at = paint(Uint8Array.from([4, 8, 0, 4]));
  assert.equal(at(0, 0), RED);
  assert.equal(at(7, 7), RED);
  assert.equal(at(8, 0), 0xff00ff00);
  assert.equal(at(0, 8), 0);
  assert.equal(at(15, 15), RED);
  assert.equal(paint(Uint8Array.from([4, 8, 0, 4]), { x0: -1000 })(0, 0), 0);
});

test('zoomed out, the most prominent of the cells that share a pixel is seen', () => {
  const levels = BR.pyramid(Uint8Array.from([4, 8, 0, 5]), 2, 2, BR.prominence(2, false));
  assert.deepEqual([...levels[1].data], [8]);
  const fall = BR.pyramid(Uint8Array.from([4 << 2, 1 << 2, 5 << 2, 4 << 2]), 2, 2, BR.prominence(7, true));
  assert.equal(fall[1].data[0], 1 << 2);
});

test('hatching marks only cells not to be relied on, and runs on between tiles', () => {
  const at = paint(Uint8Array.from([4, 5, 0, 0]), { hatch: new Uint32Array(256).fill(7) });
  const colours = (from) => new Set([...Array(8).keys()].map((k) => at(from + k, 3)));
  assert.deepEqual(colours(0), new Set([RED]));
  assert.deepEqual(colours(8), new Set([RED, 7]));
  for (const trust of [1, 2, 3]) assert.equal(BR.onHatch(trust, 259, 261), BR.onHatch(trust, 3, 5));
});

test('meshes are bilinear and say nothing outside their box', () => {
  assert.deepEqual(BR.meshAt(mesh, 500, -1500), [0.5, 1.5]);
  assert.equal(BR.meshAt(mesh, 3001, 0), null);
  const [x, y] = BR.mercator(180, 0);
  assert.ok(Math.abs(x - 20037508.342789244) < 1e-6 && Math.abs(y) < 1e-6);
});
