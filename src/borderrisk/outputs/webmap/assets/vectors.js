/* Lines, circles and outlines over the cells. Each layer is a Leaflet group switched on and off by name. */
(function (BR) {
  'use strict';

  const INK = { light: '#14181c', dark: '#f2f4f6' };
  const TOP = { light: '#00b8d4', dark: '#40e0f0' };
  const swap = (points) => points.map(([lon, lat]) => [lat, lon]);

  /** Leaflet layers of a GeoJSON geometry, all in one style. */
  function shapes(geometry, style) {
    const { type, coordinates: c } = geometry;
    if (type === 'Point') return [L.circleMarker([c[1], c[0]], { ...style, radius: 5, fill: true, fillColor: style.color, fillOpacity: 1 })];
    if (type === 'MultiPoint') return c.flatMap((p) => shapes({ type: 'Point', coordinates: p }, style));
    if (type === 'LineString') return [L.polyline(swap(c), style)];
    if (type === 'MultiLineString') return [L.polyline(c.map(swap), style)];
    if (type === 'Polygon') return [L.polygon(c.map(swap), style)];
    if (type === 'MultiPolygon') return [L.polygon(c.map((rings) => rings.map(swap)), style)];
    return (geometry.geometries || []).flatMap((part) => shapes(part, style));
  }

  /** Corners of a cell as Leaflet points. */
  BR.cellOutline = function (app, i) {
    const [row, col] = app.cells.rowCol(i);
    return [[0, 0], [1, 0], [1, 1], [0, 1]].map(([dc, dr]) => {
      const [lon, lat] = BR.meshAt(app.config.meshes.toLonLat, col + dc, row + dr);
      return L.latLng(lat, lon);
    });
  };

  function lines(app) {
    const color = INK[app.theme()];
    const still = { color, interactive: false, fill: false };
    return {
      area: L.layerGroup(shapes(app.config.area, { ...still, weight: 1, opacity: 0.55 })),
      borders: L.layerGroup(app.config.borders.flatMap((border) => shapes(border.g, { ...still, weight: 2.5, dashArray: '9 4 2 4', opacity: 0.9 }))),
    };
  }

  function topCells(app) {
    const style = { color: TOP[app.theme()], weight: 1.5, fill: false, interactive: false };
    return L.layerGroup(app.config.top.map((i) => L.polygon(BR.cellOutline(app, i), style)));
  }

  /** Colours of a ranked layer, those of the cells. */
  BR.layerRamp = (app, layer) => (app.theme() === 'dark' ? layer.rampDark : layer.ramp);

  /** A darker edge under coloured lines, which would drown in cells of the same colour. */
  function casing(app, layer) {
    const lines = layer.features.filter((feature) => feature.g.type.endsWith('LineString'));
    const style = { color: INK[app.theme()], weight: layer.weight + 2.5, opacity: 0.9, interactive: false, lineCap: 'butt' };
    return lines.flatMap((feature) => shapes(feature.g, style));
  }

  function further(app, layer) {
    const group = L.layerGroup();
    const ramp = BR.layerRamp(app, layer);
    if (ramp.length) casing(app, layer).forEach((shape) => group.addLayer(shape));
    for (const feature of layer.features) {
      const style = { color: feature.c || ramp[feature.k], weight: layer.weight, dashArray: layer.dash || null, opacity: 0.95, fillOpacity: 0.2, ...(layer.filled ? {} : { fill: false }), bubblingMouseEvents: false };
      for (const shape of shapes(feature.g, style)) {
        feature.shape = shape;
        if (layer.fields.length) shape.bindPopup(() => BR.featurePopup(app, layer, feature), { maxWidth: 320 });
        group.addLayer(shape);
      }
    }
    return group;
  }

  /** Build (again) every vector layer but the incidents. */
  BR.buildVectors = function (app) {
    for (const group of Object.values(app.groups || {})) group.remove();
    app.groups = { ...lines(app), top: topCells(app) };
    for (const layer of app.config.layers) app.groups[layer.name] = further(app, layer);
    app.selection = app.selection || L.polygon([], { fill: false, interactive: false, weight: 3 });
    app.selection.setStyle({ color: TOP[app.theme()] });
    app.selection.addTo(app.map);
  };

  /** An incident: its disc of uncertainty, never in the way of a click, and a dot that answers one. */
  BR.buildIncidents = function (app) {
    const paper = app.theme() === 'dark' ? '#10151a' : '#ffffff';
    if (app.incidents) app.incidents.forEach((item) => item.marks.forEach((mark) => mark.remove()));
    app.incidents = app.config.incidents.map((incident) => {
      const { colour: color, ring } = app.kind(incident.kind);
      const later = BR.isLater(app.config, incident);
      const at = [incident.y, incident.x];
      const disc = L.circle(at, { radius: incident.radius * 1000, color, weight: 1.4, opacity: 0.9, fill: false, dashArray: later ? '4 4' : null, interactive: false });
      const look = ring ? { radius: 4, color, weight: 2.6, fillColor: paper } : { radius: 4.5, color: paper, weight: 1.2, fillColor: color };
      const dot = L.circleMarker(at, { ...look, fillOpacity: later ? 0.45 : 1, bubblingMouseEvents: false });
      dot.on('click', () => BR.openIncidents(app, BR.incidentsAt(app, incident), L.latLng(at)));
      return { incident, marks: [disc, dot], first: BR.dayOf(incident.date), last: BR.dayOf(incident.end) };
    });
  };

  const CLOSE_PX = 9;
  const latestFirst = (a, b) => (b.date > a.date) - (b.date < a.date);
  const drawn = (app) => app.incidents.filter((item) => app.map.hasLayer(item.marks[1])).map((item) => item.incident);

  /** Shown incidents whose dots cover one another where a given one stands, latest first, itself among them. */
  BR.incidentsAt = function (app, incident) {
    const spot = ({ x, y }) => app.map.latLngToContainerPoint([y, x]);
    const here = spot(incident);
    return drawn(app).filter((other) => spot(other).distanceTo(here) <= CLOSE_PX).sort(latestFirst);
  };

  /** Shown incidents in view, latest first. */
  BR.incidentsInView = (app) => drawn(app).filter(({ x, y }) => app.map.getBounds().contains([y, x])).sort(latestFirst);

  /** Open what one or several incidents of one place say. `move`: bring the place into view first. */
  BR.openIncidents = function (app, incidents, at, { move } = {}) {
    if (move) app.map.setView(at, Math.max(app.map.getZoom(), 9), { animate: false });
    const popup = L.popup({ maxWidth: 320 }).setLatLng(at).setContent(incidents.length > 1 ? BR.stackPopup(app, incidents) : BR.incidentPopup(app, incidents[0]));
    popup.openOn(app.map);
    return popup;
  };

  /** How many incidents lie on one place, written beside it where there are more than one. */
  function counts(app) {
    app.stacks = app.stacks || L.layerGroup();
    app.stacks.clearLayers().addTo(app.map);
    const places = new Map();
    for (const incident of drawn(app)) {
      const key = `${incident.x},${incident.y}`;
      places.set(key, [...(places.get(key) || []), incident]);
    }
    for (const [{ x, y }, ...rest] of places.values()) {
      if (!rest.length) continue;
      const icon = L.divIcon({ className: 'br-count', html: BR.el('span', { text: app.format.whole(rest.length + 1) }), iconSize: null });
      app.stacks.addLayer(L.marker([y, x], { icon, interactive: false, keyboard: false, pane: 'places' }));
    }
  }

  /** Whether an incident ended on or after the day the forecast was made. */
  BR.isLater = (config, incident) => Boolean(config.facts.origin) && incident.end >= config.facts.origin;

  /** Show what is switched on and lies in the time window. Returns how many incidents are shown. */
  BR.showVectors = function (app) {
    for (const [name, group] of Object.entries(app.groups)) {
      if (app.shown(name)) group.addTo(app.map);
      else group.remove();
    }
    const [from, to] = app.timeWindow();
    let count = 0;
    for (const item of app.incidents) {
      const inside = item.last >= from && item.first <= to && app.shown(BR.kindKey(item.incident.kind));
      count += inside;
      for (const mark of item.marks) {
        if (inside && app.shown('incidents')) mark.addTo(app.map);
        else mark.remove();
      }
    }
    counts(app);
    app.selection.bringToFront();
    return count;
  };

  /** Incidents before the origin whose disc touches a cell (centre and radius in cells), latest first. */
  BR.incidentsOver = function (config, row, col) {
    const km = config.grid.cellKm;
    return config.incidents
      .filter((incident) => !BR.isLater(config, incident))
      .filter(({ gx, gy, radius }) => {
        const dx = Math.max(col - gx, 0, gx - col - 1);
        const dy = Math.max(row - gy, 0, gy - row - 1);
        return Math.hypot(dx, dy) * km <= radius;
      })
      .sort((a, b) => (b.date > a.date) - (b.date < a.date));
  };
})(globalThis.BR = globalThis.BR || {});
