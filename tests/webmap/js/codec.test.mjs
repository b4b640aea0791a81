import assert from 'node:assert/strict';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { load } from './load.mjs';
const BR = load('base', 'codec', 'cells');

// Two rows of two cells and one cell alone: runs are row, first column, length.
const GRID = { rows: 2, cols: 4, row0: 5, col0: 98, digits: 3, runs: [0, 0, 2, 1, 0, 2, 1, 3, 1] };
const pack = (...bytes) => gzipSync(Uint8Array.from(bytes)).toString('base64');

test('a narrow column is the prediction plus folded residuals', async () => {
  // codes 5 7 / 6 9 and 255: guesses 0, 5, 7, 7, 9; residuals 5, 2, -1, 2, -10 (246 wrapped by 256).
  const cells = new BR.Cells(GRID, { a: { o: 0, s: 1, n: 255, wide: false } }, () => pack(10, 4, 1, 4, 19));
  assert.deepEqual([...(await cells.load('a'))], [5, 7, 6, 9, 255]);
  assert.equal(cells.value('a', 4), null);
  assert.equal(cells.value('a', 3), 9);
});

test('a wide column keeps low bytes before high bytes', async () => {
  // 300 = residual 300, folded 600 = 0x258; then no change.
  const cells = new BR.Cells(GRID, { a: { o: 1, s: 0.5, n: 65535, wide: true } }, () => pack(0x58, 0, 0, 0, 0, 2, 0, 0, 0, 0));
  assert.deepEqual([...(await cells.load('a'))], [300, 300, 300, 300, 300]);
  assert.equal(cells.value('a', 0), 151);
});

test('a column is unpacked once, an absent one is null', async () => {
  let reads = 0;
  const cells = new BR.Cells(GRID, { a: { o: 0, s: 1, n: 255, wide: false } }, () => { reads += 1; return pack(0, 0, 0, 0, 0); });
  await Promise.all([cells.load('a'), cells.load('a')]);
  assert.equal(reads, 1);
  assert.equal(await cells.load('b'), null);
  assert.equal(cells.value('b', 0), null);
});

test('logarithmic scales decode by exponent and find codes back', () => {
  const scale = { o: Math.log(0.001), s: 0.1, n: 4096, log: true };
  assert.ok(Math.abs(BR.decode(scale, 10) - 0.001 * Math.E) < 1e-12);
  assert.equal(BR.codeFrom(scale, 0.001 * Math.E), 10);
  assert.equal(BR.codeFrom(scale, 0), 0);
});

test('cells know their id, and ids their cell', () => {
  const cells = new BR.Cells(GRID, {}, null);
  assert.equal(cells.count, 5);
  assert.equal(cells.id(3), 'r006c099');
  assert.equal(cells.find('r006c099'), 3);
  assert.equal(cells.find(' R6 C101 '), 4);
  assert.equal(cells.find('r006c100'), -1);
  assert.equal(cells.find('Mashhad'), -1);
  assert.equal(cells.at(3.5, 1.2), 4);
  assert.equal(cells.at(-0.1, 0), -1);
});
