/* Names of places: the largest first, none over another, more as one zooms in. */
(function (BR) {
  'use strict';

  const apart = (a, b) => a.x > b.x + b.w || b.x > a.x + a.w || a.y > b.y + b.h || b.y > a.y + a.h;

  /**
   * Choose a spot for each label so that none overlap: per label a list of boxes `{x, y, w, h}`, most wanted first.
   * Returns the number of the box chosen, -1 where none is free; earlier labels go first.
   */
  BR.declutter = function (labels, taken = []) {
    const used = [...taken];
    return labels.map((boxes) => {
      const choice = boxes.findIndex((box) => used.every((other) => apart(box, other)));
      if (choice >= 0) used.push(boxes[choice]);
      return choice;
    });
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
    const at = ([y, x]) => app.map.latLngToContainerPoint([y, x]);
    const dots = app.shown('incidents') ? app.incidents.filter((item) => app.map.hasLayer(item.marks[1])).map(({ incident }) => at([incident.y, incident.x])).map(({ x, y }) => ({ x: x - 4, y: y - 4, w: 8, h: 8 })) : [];
    const labels = near.map((place) => {
      const { x, y } = at([place.y, place.x]);
      const w = 8 + 7.5 * name(place, app.state.lang).length;
      return [{ x: x + 6, y: y - 9, w, h: 18 }, { x: x - 6 - w, y: y - 9, w, h: 18 }];
    });
    BR.declutter(labels, dots).forEach((side, i) => { if (side >= 0) app.places.addLayer(label(app, near[i], side)); });
    return app.places;
  };

  function label(app, place, side) {
    const big = place.pop >= 300000 ? ' br-city' : '';
    const html = BR.el('span', { dir: 'auto', text: name(place, app.state.lang) });
    const icon = L.divIcon({ className: `br-place${big}${side ? ' br-before' : ''}`, html, iconSize: null });
    return L.marker([place.y, place.x], { icon, interactive: false, keyboard: false, pane: 'places' });
  }
})(globalThis.BR = globalThis.BR || {});
