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
    const countries = app.config.countries.map((country) => {
      const { x, y } = at([country.y, country.x]);
      const w = 14 * country.label[app.state.lang].length;
      return [{ x: x - w / 2, y: y - 10, w, h: 20 }];
    });
    const places = near.map((place) => {
      const { x, y } = at([place.y, place.x]);
      const w = 8 + 7.5 * name(place, app.state.lang).length;
      return [{ x: x + 6, y: y - 9, w, h: 18 }, { x: x - 6 - w, y: y - 9, w, h: 18 }];
    });
    BR.declutter([...places.slice(0, 4), ...countries, ...places.slice(4)], dots).forEach((side, k) => {
      if (side < 0) return;
      const first = Math.min(4, places.length);
      const i = k - first;
      const isCountry = i >= 0 && i < countries.length;
      app.places.addLayer(isCountry ? countryLabel(app, app.config.countries[i]) : label(app, near[k < first ? k : k - countries.length], side));
    });
    return app.places;
  };

  function countryLabel(app, country) {
    const html = BR.el('span', { text: country.label[app.state.lang] });
    return L.marker([country.y, country.x], { icon: L.divIcon({ className: 'br-country', html, iconSize: null }), interactive: false, keyboard: false, pane: 'places' });
  }

  function label(app, place, side) {
    const big = place.pop >= 300000 ? ' br-city' : '';
    const html = BR.el('span', { dir: 'auto', text: name(place, app.state.lang) });
    const icon = L.divIcon({ className: `br-place${big}${side ? ' br-before' : ''}`, html, iconSize: null });
    return L.marker([place.y, place.x], { icon, interactive: false, keyboard: false, pane: 'places' });
  }
})(globalThis.BR = globalThis.BR || {});
