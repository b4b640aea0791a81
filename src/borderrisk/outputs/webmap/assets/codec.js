/* The inverse of codec.py: base64, gzip, median edge prediction, codes to values. */
(function (BR) {
  'use strict';

  BR.inflate = async function (text) {
    const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  /** Undo the prediction. `north` and `corner` hold positions of neighbours, -1 = none. */
  BR.unpredict = function (raw, wide, north, corner) {
    const count = north.length;
    const mask = wide ? 65535 : 255;
    const codes = wide ? new Uint16Array(count) : new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const folded = wide ? raw[i] | (raw[count + i] << 8) : raw[i];
      const left = (folded >>> 1) ^ -(folded & 1);
      const a = i ? codes[i - 1] : 0;
      const b = north[i] < 0 ? 0 : codes[north[i]];
      const c = corner[i] < 0 ? 0 : codes[corner[i]];
      const low = a < b ? a : b;
      const high = a < b ? b : a;
      const sum = a + b - c;
      codes[i] = ((sum < low ? low : sum > high ? high : sum) + left) & mask;
    }
    return codes;
  };

  /** Undo the prediction of a plain list, where each is predicted from the one before. */
  BR.unpredictLine = function (raw, wide) {
    const before = Int32Array.from({ length: wide ? raw.length / 2 : raw.length }, (_, i) => i - 1);
    return BR.unpredict(raw, wide, before, before);
  };

  /** Turn differences to another column into codes, in place: `table` holds the usual code at each of the other's. */
  BR.follow = function (codes, other, table, wide) {
    const half = wide ? 32768 : 128;
    const mask = 2 * half - 1;
    for (let i = 0; i < codes.length; i++) codes[i] = (codes[i] + table[other[i]] - half) & mask;
    return codes;
  };

  /** Value of a code, null where missing. */
  BR.decode = function (scale, code) {
    if (code === scale.n) return null;
    const value = scale.o + scale.s * code;
    return scale.log ? Math.exp(value) : value;
  };

  /** Smallest code whose value is not below `value`. */
  BR.codeFrom = function (scale, value) {
    const exact = ((scale.log ? Math.log(Math.max(value, 1e-300)) : value) - scale.o) / scale.s;
    return BR.clamp(Math.ceil(exact - 1e-6), 0, scale.n);
  };
})(globalThis.BR = globalThis.BR || {});
