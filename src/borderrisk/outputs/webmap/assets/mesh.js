/* Web mercator and the bilinear meshes between it and the grid. */
(function (BR) {
  'use strict';
  const HALF = 20037508.342789244;
  BR.WORLD = 2 * HALF;

  BR.mercator = (lon, lat) => [(lon * HALF) / 180, (Math.log(Math.tan(((90 + lat) * Math.PI) / 360)) * HALF) / Math.PI];

  /** Value pair of a mesh at (x, y), null outside its box. */
  BR.meshAt = function (mesh, x, y) {
    const [x0, y0, x1, y1] = mesh.box;
    if (!(x >= x0 && x <= x1 && y >= y0 && y <= y1)) return null;
    const k = mesh.k;
    const u = ((x - x0) / (x1 - x0)) * (k - 1);
    const v = ((y - y0) / (y1 - y0)) * (k - 1);
    const i = Math.min(k - 2, Math.floor(u));
    const j = Math.min(k - 2, Math.floor(v));
    const p = j * k + i;
    const s = u - i;
    const t = v - j;
    const mix = (n) => (1 - t) * ((1 - s) * n[p] + s * n[p + 1]) + t * ((1 - s) * n[p + k] + s * n[p + k + 1]);
    return [mix(mesh.a), mix(mesh.b)];
  };
})(globalThis.BR = globalThis.BR || {});
