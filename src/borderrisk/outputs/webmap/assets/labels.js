/* Names of places: the largest first, none over another, more as one zooms in. */
(function (BR) {
  'use strict';

  /** Choose which boxes to keep so that none overlap: `[{x, y, w, h}]`, most important first; returns their positions. */
  BR.declutter = function (boxes) {
    const kept = [];
    boxes.forEach((box, i) => {
      const free = kept.every((k) => {
        const other = boxes[k];
        return box.x > other.x + other.w || other.x > box.x + box.w || box.y > other.y + other.h || other.y > box.y + box.h;
      });
      if (free) kept.push(i);
    });
    return kept;
  };

  const name = (place, language) => (language === 'fa' && place.fa) || place.n;

  /** Smallest place that is worth a dot at a zoom. */
  BR.leastPeople = (zoom) => 10 ** BR.clamp(7.6 - 0.42 * zoom, 3, 6);

  BR.showPlaces = function (app) {
    app.places = app.places || L.layerGroup();
    app.places.clearLayers();
    if (!app.shown('places')) return app.places.remove();
    app.places.addTo(app.map);
    const bounds = app.map.getBounds().pad(0.1);
    const least = BR.leastPeople(app.map.getZoom());
    const near = app.config.places.filter((place) => place.pop >= least && bounds.contains([place.y, place.x]));
    const boxes = near.map((place) => {
      const point = app.map.latLngToContainerPoint([place.y, place.x]);
      return { x: point.x - 4, y: point.y - 10, w: 18 + 7.5 * name(place, app.state.lang).length, h: 19 };
    });
    for (const i of BR.declutter(boxes)) app.places.addLayer(label(app, near[i]));
    return app.places;
  };

  function label(app, place) {
    const big = place.pop >= 300000 ? ' br-city' : '';
    const html = BR.el('span', { dir: 'auto', text: name(place, app.state.lang) });
    const icon = L.divIcon({ className: `br-place${big}`, html, iconSize: null });
    return L.marker([place.y, place.x], { icon, interactive: false, keyboard: false, pane: 'places' });
  }
})(globalThis.BR = globalThis.BR || {});
