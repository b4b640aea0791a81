/* Printing: paper is light whatever the screen is, the map takes all of it, and nothing may be waited for. */
(function (BR) {
  'use strict';

  BR.Paper = class {
    constructor(app) { this.app = app; }

    /** Get the page ready. The browser takes its picture as soon as this and the promises it settled are done. */
    async lay() {
      if (this.before) return;
      const { app } = this;
      const { map } = app;
      this.before = { theme: app.state.theme, centre: map.getCenter(), zoom: map.getZoom(), snap: map.options.zoomSnap };
      const bounds = map.getBounds();
      document.documentElement.classList.add('br-print');
      app.makeRoom();
      map.options.zoomSnap = 0;
      map.fitBounds(bounds, { animate: false });
      if (app.theme() === 'dark') await app.update({ theme: 'light' });
      // Leaflet draws lines in the next frame; there is none before the page is on paper.
      map.getRenderer(app.selection)._redraw();
      this.stills = [...document.querySelectorAll('.leaflet-overlay-pane canvas, .br-mini')].map(still);
    }

    clear() {
      if (!this.before) return;
      const { theme, centre, zoom, snap } = this.before;
      const { app } = this;
      this.before = null;
      (this.stills || []).forEach((picture) => picture.remove());
      document.documentElement.classList.remove('br-print');
      app.map.options.zoomSnap = snap;
      app.makeRoom();
      app.map.setView(centre, zoom, { animate: false });
      if (app.state.theme !== theme) app.update({ theme });
    }
  };

  /** A picture in place of a canvas: Chromium prints what a canvas cleared as white, over all that lies below. */
  function still(canvas) {
    const picture = BR.el('img', { class: `${canvas.className} br-still`, style: canvas.style.cssText, alt: '', src: canvas.toDataURL() });
    canvas.after(picture);
    return picture;
  }
})(globalThis.BR = globalThis.BR || {});
