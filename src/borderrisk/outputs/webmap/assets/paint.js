/* From codes to pixels: class raster, its pyramid, colours, hatching. No Leaflet, no DOM. */
(function (BR) {
  'use strict';
  const BLOCK = 16;

  /** `#rrggbb` as a little-endian RGBA word, opaque. */
  BR.rgba = function (hex) {
    const v = parseInt(hex.slice(1), 16);
    return ((255 << 24) | ((v & 255) << 16) | (v & 0xff00) | (v >> 16)) >>> 0;
  };

  /** Class (1, 2, ...) of a code among sorted edges. */
  BR.classOf = function (code, edges) {
    let k = 1;
    while (k <= edges.length && code >= edges[k - 1]) k++;
    return k;
  };

  /**
   * One byte per grid cell: class << 2 | trust code, 0 where nothing is drawn.
   * `from`: smallest code drawn; `trust`: codes, 0 = to be relied on, or null.
   */
  BR.classRaster = function (cells, codes, scale, edges, from, trust) {
    const out = new Uint8Array(cells.grid.rows * cells.grid.cols);
    const table = new Uint8Array(scale.n + 1);
    for (let code = from; code < scale.n; code++) table[code] = BR.classOf(code, edges) << 2;
    for (let i = 0; i < cells.count; i++) {
      const shifted = table[codes[i]];
      if (shifted) out[cells.position[i]] = shifted | (trust && trust[i] < 4 ? trust[i] : 0);
    }
    return out;
  };

  /** How strongly a class asks to be seen when cells share a pixel: the higher, or the further from the middle. */
  BR.prominence = function (classes, diverging) {
    const order = new Uint8Array(256);
    for (let byte = 4; byte < 256; byte++) {
      const k = byte >> 2;
      order[byte] = diverging ? 1 + 2 * Math.abs(k - (classes + 1) / 2) * 4 + (byte & 3) : byte;
    }
    return order;
  };

  /** Halve a raster until one pixel is left; each keeps the most prominent of its four. */
  BR.pyramid = function (data, width, height, order) {
    const levels = [{ w: width, h: height, data }];
    while (levels.length < 8 && (width > 1 || height > 1)) {
      const up = levels[levels.length - 1];
      const w = (width + 1) >> 1;
      const h = (height + 1) >> 1;
      const next = new Uint8Array(w * h);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const byte = up.data[y * width + x];
          const at = (y >> 1) * w + (x >> 1);
          if (order[byte] > order[next[at]]) next[at] = byte;
        }
      }
      levels.push({ w, h, data: next });
      width = w;
      height = h;
    }
    return levels;
  };

  /** Whether a pixel lies on the hatching of a trust code: rising lines, falling lines, dots. */
  BR.onHatch = function (trust, x, y) {
    if (trust === 1) return ((x + y) & 7) < 2;
    if (trust === 2) return ((x - y) & 7) < 2;
    return (x & 7) < 2 && (y & 7) < 2;
  };

  function levelFor(levels, mesh, frame, size) {
    const middle = BR.meshAt(mesh, frame.x0 + (size / 2) * frame.px, frame.y0 - (size / 2) * frame.px) ||
      [mesh.a[0], mesh.b[0]];
    const [x0, , x1] = mesh.box;
    const span = Math.abs(mesh.a[mesh.k - 1] - mesh.a[0]) / (x1 - x0);
    const cells = middle ? span * frame.px : 1;
    const level = cells > 1.5 ? Math.ceil(Math.log2(cells)) : 0;
    return Math.min(level, levels.length - 1);
  }

  /**
   * Paint a square of pixels.
   * `frame`: x0, y0 (mercator metres of the top left corner), px (metres per pixel), gx, gy (its pixel in the world, so
   * that hatching runs on from tile to tile). `layer`: mesh, levels, lut and hatch (256 colour words each; hatch null = off).
   */
  BR.paint = function (pixels, size, frame, layer) {
    const level = levelFor(layer.levels, layer.mesh, frame, size);
    const raster = layer.levels[level];
    const shrink = 1 / (1 << level);
    for (let by = 0; by < size; by += BLOCK) {
      for (let bx = 0; bx < size; bx += BLOCK) paintBlock(pixels, size, bx, by, frame, layer, raster, shrink);
    }
  };

  function paintBlock(pixels, size, bx, by, frame, layer, raster, shrink) {
    const at = (dx, dy) => BR.meshAt(layer.mesh, frame.x0 + (bx + dx) * frame.px, frame.y0 - (by + dy) * frame.px);
    const corners = [at(0, 0), at(BLOCK, 0), at(0, BLOCK), at(BLOCK, BLOCK)];
    if (corners.every((corner) => !corner)) {
      if (layer.mesh.box[2] - layer.mesh.box[0] > BLOCK * frame.px) return;
    }
    const whole = corners.every(Boolean);
    const { lut, hatch } = layer;
    for (let y = 0; y < BLOCK; y++) {
      for (let x = 0; x < BLOCK; x++) {
        const u = (x + 0.5) / BLOCK;
        const v = (y + 0.5) / BLOCK;
        const spot = whole ? between(corners, u, v) : at(x + 0.5, y + 0.5);
        if (!spot) continue;
        const col = Math.floor(spot[0] * shrink);
        const row = Math.floor(spot[1] * shrink);
        if (col < 0 || row < 0 || col >= raster.w || row >= raster.h) continue;
        const byte = raster.data[row * raster.w + col];
        if (!byte) continue;
        const hatched = hatch && byte & 3 && BR.onHatch(byte & 3, frame.gx + bx + x, frame.gy + by + y);
        pixels[(by + y) * size + bx + x] = hatched ? hatch[byte] : lut[byte];
      }
    }
  }

  function between([p, q, r, s], u, v) {
    return [
      (1 - v) * ((1 - u) * p[0] + u * q[0]) + v * ((1 - u) * r[0] + u * s[0]),
      (1 - v) * ((1 - u) * p[1] + u * q[1]) + v * ((1 - u) * r[1] + u * s[1]),
    ];
  }

  /** Colour word of each raster byte: the class's colour, or another made from it. */
  BR.lut = function (colours, from = (colour) => colour) {
    const lut = new Uint32Array(256);
    colours.forEach((colour, k) => lut.fill(BR.rgba(from(colour)), (k + 1) << 2, (k + 2) << 2));
    return lut;
  };

  /** Colour of hatching that shows on a colour: white on dark, slate on light. */
  BR.hatchOn = function (hex) {
    const v = parseInt(hex.slice(1), 16);
    return 0.3 * (v >> 16) + 0.59 * ((v >> 8) & 255) + 0.11 * (v & 255) > 150 ? '#47525d' : '#ffffff';
  };
})(globalThis.BR = globalThis.BR || {});
