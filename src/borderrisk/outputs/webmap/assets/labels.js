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
    const room = app.map.getSize();
    const countries = app.config.countries.map((country) => {
      const w = (app.state.lang === 'fa' ? 9 : 11.5) * country.label[app.state.lang].length;
      const spots = country.at.map(([lon, lat]) => at([lat, lon]));
      const boxes = country.at.map(([lon, lat], k) => ({ lon, lat, ...centred(spots[k], w) }));
      const seen = boxes.filter(({ x, y, h }) => x > 4 && y > 4 && x + w < room.x - 4 && y + h < room.y - 4);
      const near = 0.75 * BR.nodeStep(app);
      return seen.filter((box) => BR.endsNear(box, spots, near)).concat(seen);
    });
    const places = near.map((place) => {
      const { x, y } = at([place.y, place.x]);
      const w = 8 + 7.5 * name(place, app.state.lang).length;
      return [{ x: x + 6, y: y - 9, w, h: 18 }, { x: x - 6 - w, y: y - 9, w, h: 18 }];
    });
    BR.declutter([...places.slice(0, 4), ...countries, ...places.slice(4)], [...dots, ...furniture(app)]).forEach((side, k) => {
      if (side < 0) return;
      const first = Math.min(4, places.length);
      const i = k - first;
      const isCountry = i >= 0 && i < countries.length;
      app.places.addLayer(isCountry ? countryLabel(app, app.config.countries[i], countries[i][side]) : label(app, near[k < first ? k : k - countries.length], side));
    });
    return app.places;
  };

  /** Pixels between the spots a country's name may stand at. */
  BR.nodeStep = (app) => app.config.nodeDegrees * (app.map.latLngToContainerPoint([0, 1]).x - app.map.latLngToContainerPoint([0, 0]).x);

  /** Whether both ends of a label lie by some spot of its own country, so that it does not run over the border. */
  BR.endsNear = ({ x, y, w, h }, spots, near) => [x, x + w].every((end) => spots.some((spot) => Math.abs(spot.x - end) <= near && Math.abs(spot.y - y - h / 2) <= near));

  const centred = ({ x, y }, w) => ({ x: x - w / 2, y: y - 10, w, h: 20 });

  /** What lies over the map and hides whatever is written under it. */
  function furniture(app) {
    const map = app.map.getContainer().getBoundingClientRect();
    return [...document.querySelectorAll('.br-tools .br-card, .br-legend, .br-mini, .leaflet-control-scale')].map((node) => {
      const box = node.getBoundingClientRect();
      return { x: box.left - map.left, y: box.top - map.top, w: box.width, h: box.height };
    });
  }

  function countryLabel(app, country, { lon, lat }) {
    const html = BR.el('span', { text: country.label[app.state.lang] });
    return L.marker([lat, lon], { icon: L.divIcon({ className: 'br-country', html, iconSize: null }), interactive: false, keyboard: false, pane: 'places' });
  }

  function label(app, place, side) {
    const big = place.pop >= 300000 ? ' br-city' : '';
    const html = BR.el('span', { dir: 'auto', text: name(place, app.state.lang) });
    const icon = L.divIcon({ className: `br-place${big}${side ? ' br-before' : ''}`, html, iconSize: null });
    return L.marker([place.y, place.x], { icon, interactive: false, keyboard: false, pane: 'places' });
  }
})(globalThis.BR = globalThis.BR || {});
