/* The Leaflet layer that paints the cells, tile by tile, on canvas. */
(function (BR) {
  'use strict';
  if (!globalThis.L) return;

  BR.RiskLayer = L.GridLayer.extend({
    options: { tileSize: 256, minZoom: 3, maxZoom: 18, keepBuffer: 1, updateWhenZooming: false, pane: 'risk' },

    /** `layer`: what BR.paint draws; see there. */
    setLayer(layer) {
      this._layer = layer;
      for (const tile of Object.values(this._tiles || {})) this._draw(tile.el, tile.coords);
    },

    createTile(coords) {
      const tile = document.createElement('canvas');
      tile.width = tile.height = this.options.tileSize;
      // Nothing has to be waited for, and paper does not wait.
      tile.className = 'br-tile leaflet-tile-loaded';
      this._draw(tile, coords);
      return tile;
    },

    _draw(tile, coords) {
      const size = this.options.tileSize;
      const context = tile.getContext('2d');
      const image = context.createImageData(size, size);
      if (this._layer) {
        const span = BR.WORLD / 2 ** coords.z;
        const frame = {
          x0: coords.x * span - BR.WORLD / 2, y0: BR.WORLD / 2 - coords.y * span, px: span / size,
          gx: coords.x * size, gy: coords.y * size,
        };
        BR.paint(new Uint32Array(image.data.buffer), size, frame, this._layer);
      }
      context.putImageData(image, 0, 0);
    },
  });
})(globalThis.BR = globalThis.BR || {});
