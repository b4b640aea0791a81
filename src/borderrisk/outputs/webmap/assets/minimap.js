/* Overview: the whole window in one small picture, the current view as a frame; a click moves there. */
(function (BR) {
  'use strict';
  const SIDE = 128;

  /** The square of mercator metres around a mesh's box, with room for a frame. */
  BR.squareAround = function (box) {
    const side = Math.max(box[2] - box[0], box[3] - box[1]) * 1.06;
    return { x0: (box[0] + box[2]) / 2 - side / 2, y0: (box[1] + box[3]) / 2 + side / 2, px: side / SIDE };
  };

  BR.MiniMap = class {
    constructor(app) {
      this.app = app;
      this.frame = { ...BR.squareAround(app.config.meshes.toGrid.box), gx: 0, gy: 0 };
      this.canvas = BR.el('canvas', { width: SIDE, height: SIDE, class: 'br-mini br-card', 'aria-hidden': 'true', on: { click: (event) => this.move(event) } });
      this.picture = BR.el('canvas', { width: SIDE, height: SIDE });
    }

    move(event) {
      const point = L.point(this.frame.x0 + event.offsetX * this.frame.px, this.frame.y0 - event.offsetY * this.frame.px);
      this.app.map.panTo(L.CRS.EPSG3857.unproject(point));
    }

    paint(layer) {
      const context = this.picture.getContext('2d');
      const image = context.createImageData(SIDE, SIDE);
      BR.paint(new Uint32Array(image.data.buffer), SIDE, this.frame, { ...layer, hatch: null });
      context.putImageData(image, 0, 0);
      this.draw();
    }

    draw() {
      const context = this.canvas.getContext('2d');
      const ink = getComputedStyle(document.documentElement);
      context.clearRect(0, 0, SIDE, SIDE);
      context.drawImage(this.picture, 0, 0);
      context.strokeStyle = ink.getPropertyValue('--ink');
      context.lineWidth = 1;
      for (const border of this.app.config.borders) this.line(context, border.g);
      const bounds = this.app.map.getBounds();
      const [west, north] = this.spot(bounds.getWest(), bounds.getNorth());
      const [east, south] = this.spot(bounds.getEast(), bounds.getSouth());
      context.strokeStyle = ink.getPropertyValue('--accent');
      context.lineWidth = 2;
      context.strokeRect(BR.clamp(west, 1, SIDE - 3), BR.clamp(north, 1, SIDE - 3), Math.max(3, Math.min(east, SIDE - 1) - Math.max(west, 1)), Math.max(3, Math.min(south, SIDE - 1) - Math.max(north, 1)));
    }

    spot(lon, lat) {
      const [x, y] = BR.mercator(lon, lat);
      return [(x - this.frame.x0) / this.frame.px, (this.frame.y0 - y) / this.frame.px];
    }

    line(context, geometry) {
      const parts = geometry.type === 'LineString' ? [geometry.coordinates] : geometry.type === 'MultiLineString' ? geometry.coordinates : [];
      for (const part of parts) {
        context.beginPath();
        part.forEach(([lon, lat], k) => context[k ? 'lineTo' : 'moveTo'](...this.spot(lon, lat)));
        context.stroke();
      }
    }
  };
})(globalThis.BR = globalThis.BR || {});
