/* Sums over part of the area: what lies in view, in a drawn polygon, behind a section. Cells add up; a cell counts where its middle lies. */
(function (BR) {
  'use strict';
  const TOP = 5;

  /** Incidents to expect from the chance of at least one: the inverse of scores.probability. */
  BR.expectedOf = (chance, size) => (chance === null ? null : size * (Math.pow(1 - chance, -1 / size) - 1));
  /** Chance of at least one of a negative binomial count. */
  BR.chanceOf = (mean, size) => 1 - Math.pow(1 + mean / size, -size);

  /** Interval of a negative binomial count, as scores.count_bounds has it: the counts whose middle lies between the tails. */
  BR.countInterval = function (mean, size, level) {
    if (!(mean > 0)) return [0, 0];
    const tail = (1 - level) / 2;
    const step = mean / (size + mean);
    let [low, high, below] = [null, 0, 0];
    for (let n = 0, chance = Math.pow(size / (size + mean), size); n < 1e6; chance *= (step * (n + size)) / (n + 1), n++) {
      const middle = below + chance / 2;
      if (middle > 1 - tail) break;
      if (low === null && middle >= tail) low = n;
      high = n;
      below += chance;
    }
    return [low === null ? high : low, high];
  };

  /** Whether a point lies in a ring; points are [x, y]. */
  BR.inRing = function ([x, y], ring) {
    let inside = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [[ax, ay], [bx, by]] = [ring[i], ring[j]];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
  };

  /** Middle of a cell, degrees. */
  BR.cellMiddle = function (app, i) {
    const [row, col] = app.cells.rowCol(i);
    const [lon, lat] = BR.meshAt(app.config.meshes.toLonLat, col + 0.5, row + 0.5);
    return { lat, lon };
  };

  /** Cells whose middle `holds` (a function of `{lat, lon}`). */
  BR.cellsWhere = function (app, holds) {
    const found = [];
    for (let i = 0; i < app.cells.count; i++) if (holds(BR.cellMiddle(app, i))) found.push(i);
    return found;
  };

  /** Whether the map tells expected incidents, which add up; an index does not. */
  BR.addsUp = (app) => 'probability' in app.config.columns;

  const COLUMNS = ['probability', 'probability_low', 'probability_high', 'exposure', 'risk', 'rank', 'trust'];
  BR.loadSums = (app) => Promise.all(COLUMNS.map((name) => app.cells.load(name)));

  /** What to expect in one cell: `expected` with its bounds (null where there are none) and `km2`. */
  BR.cellFacts = function (app, i) {
    const { cells, config } = app;
    const size = config.facts.total.cell;
    const of = (name) => BR.expectedOf(cells.value(name, i), size);
    const exposure = cells.value('exposure', i);
    return { expected: of('probability') || 0, low: of('probability_low'), high: of('probability_high'), km2: (exposure === null ? 1 : exposure) * config.grid.cellKm ** 2 };
  };

  /** Sums over cells. `low` and `high` add the cells' own bounds, as if all erred the same way; null without intervals. */
  BR.sumOf = function (app, found) {
    const { total } = app.config.facts;
    const sum = { cells: found.length, expected: 0, low: 0, high: 0, km2: 0, unsure: 0 };
    for (const i of found) {
      const { expected, low, high, km2 } = BR.cellFacts(app, i);
      sum.expected += expected;
      sum.low = low === null || sum.low === null ? null : sum.low + low;
      sum.high = high === null || sum.high === null ? null : sum.high + high;
      sum.km2 += km2;
      if (app.cells.value('trust', i)) sum.unsure += km2;
    }
    if (!found.length) sum.low = sum.high = null;
    const size = found.length === 1 ? total.cell : total.part;
    return { ...sum, how: 'sumAdded', chance: BR.chanceOf(sum.expected, size), count: BR.countInterval(sum.expected, size, app.config.facts.level), share: total.expected ? sum.expected / total.expected : null, areaShare: total.km2 ? sum.km2 / total.km2 : null };
  };

  const order = (app) => (a, b) => (app.cells.value('risk', b) || 0) - (app.cells.value('risk', a) || 0) || (app.cells.value('probability', b) || 0) - (app.cells.value('probability', a) || 0);
  BR.topOf = (app, found, most = TOP) => [...found].sort(order(app)).slice(0, most);

  /** Sums of a section: its own forecast, as the ranking of the border has it, or null for a layer without one. */
  BR.sumOfSection = function (app, layer, feature) {
    const value = (column) => feature.p[layer.fields.findIndex((field) => field.column === column)];
    if (typeof value('expected') !== 'number') return null;
    const { total } = app.config.facts;
    const bound = (column) => (typeof value(column) === 'number' ? value(column) : null);
    return { cells: null, expected: value('expected'), low: bound('expected_low'), high: bound('expected_high'), how: 'sumRefits', chance: BR.chanceOf(value('expected'), total.part), count: [value('count_low'), value('count_high')], share: value('share'), areaShare: null, km2: null, unsure: null };
  };

  const vertices = (geometry) => (geometry.type === 'LineString' ? geometry.coordinates : geometry.type === 'MultiLineString' ? geometry.coordinates.flat() : []);

  /** The highest cells to which a feature of a layer is the nearest one. */
  BR.topNearest = function (app, layer, feature, most = TOP) {
    const all = layer.features.flatMap((other) => vertices(other.g).map(([lon, lat]) => ({ lon, lat, other })));
    const found = [];
    const ranked = BR.topOf(app, Array.from({ length: app.cells.count }, (_, i) => i), 1500);
    for (const i of ranked) {
      const at = BR.cellMiddle(app, i);
      const narrow = Math.cos((at.lat * Math.PI) / 180);
      let best = null;
      let least = Infinity;
      for (const point of all) {
        const d = ((point.lon - at.lon) * narrow) ** 2 + (point.lat - at.lat) ** 2;
        if (d < least) { least = d; best = point.other; }
      }
      if (best === feature) found.push(i);
      if (found.length === most) break;
    }
    return found;
  };

  /* --- drawing and the card --- */
  const LINE = { color: '#d500f9', weight: 3, dashArray: '6 5', fillOpacity: 0.08 };

  BR.Sums = class {
    constructor(app) {
      this.app = app;
      this.shape = L.polygon([], { ...LINE, interactive: false });
      this.active = false;
      this.mode = null;
      this.node = null;
    }

    /** Sum over what lies in view, following the view; again: stop. */
    async view() {
      if (this.mode === 'view') return this.close();
      this.draw(false);
      this.mode = 'view';
      return this.follow();
    }

    async follow() {
      if (this.mode !== 'view') return;
      await BR.loadSums(this.app);
      const bounds = this.app.map.getBounds();
      const ring = [bounds.getSouthWest(), bounds.getSouthEast(), bounds.getNorthEast(), bounds.getNorthWest()].map(({ lng, lat }) => [lng, lat]);
      this.cells(this.app.t('sumView'), BR.cellsWhere(this.app, ({ lat, lon }) => bounds.contains([lat, lon])), { type: 'Polygon', coordinates: [[...ring, ring[0]]] });
    }

    /** Begin to draw a polygon, or give it up. */
    draw(on) {
      const { app } = this;
      this.active = on;
      this.points = [];
      this.shape.setLatLngs([]).remove();
      app.map.getContainer().classList.toggle('br-measuring', on);
      app.map.doubleClickZoom[on ? 'disable' : 'enable']();
      app.say(on ? app.t('drawHint') : '');
      this.press('draw', on);
      if (on) { this.mode = 'drawn'; app.map.closePopup(); this.take(null); }
    }

    add(point) {
      const near = (other) => this.app.map.latLngToContainerPoint(other).distanceTo(this.app.map.latLngToContainerPoint(point)) < 12;
      if (this.points.length >= 3 && (near(this.points[0]) || near(this.points.at(-1)))) return this.finish();
      if (this.points.length && near(this.points.at(-1))) return null;
      this.points.push(point);
      this.shape.setLatLngs(this.points).addTo(this.app.map);
      return null;
    }

    async finish() {
      const { app, points } = this;
      if (points.length < 3) return app.say(app.t('drawHint'));
      this.active = false;
      app.map.getContainer().classList.remove('br-measuring');
      app.map.doubleClickZoom.enable();
      this.press('draw', false);
      app.say('');
      return this.polygon(points);
    }

    async polygon(points) {
      const { app } = this;
      await BR.loadSums(app);
      this.mode = 'drawn';
      this.shape.setLatLngs(points).addTo(app.map);
      const ring = points.map((point) => { const { lng, lat } = L.latLng(point); return [lng, lat]; });
      const flat = ring.map(([lon, lat]) => BR.mercator(lon, lat));
      this.cells(app.t('sumDrawn'), BR.cellsWhere(app, ({ lat, lon }) => BR.inRing(BR.mercator(lon, lat), flat)), { type: 'Polygon', coordinates: [[...ring, ring[0]]] });
    }

    /** Sum of a clicked section. */
    async section(layer, feature, name) {
      const { app } = this;
      await BR.loadSums(app);
      if (this.mode) this.draw(false);
      this.mode = 'section';
      this.show({ title: app.t('sumSection', { name }), sum: BR.sumOfSection(app, layer, feature), found: [], top: BR.topNearest(app, layer, feature), geometry: feature.g, note: app.t('sumSectionTop') });
    }

    cells(title, found, geometry) { this.show({ title, sum: BR.sumOf(this.app, found), found, top: BR.topOf(this.app, found), geometry, note: null }); }

    show(what) {
      this.what = what;
      this.take(BR.sumsCard(this.app, this));
      this.press('sum', this.mode === 'view');
    }

    press(name, on) {
      const button = this.app.toolButton(name);
      if (button) button.setAttribute('aria-pressed', on);
    }

    /** Put a card in place of the one there is. */
    take(node) {
      const focused = this.node && this.node.contains(document.activeElement) && document.activeElement.dataset.act;
      if (this.node) this.node.remove();
      this.node = node;
      if (!node) return;
      document.body.append(node);
      const again = focused && node.querySelector(`[data-act="${focused}"]`);
      if (again) again.focus();
    }

    close() {
      this.draw(false);
      this.mode = null;
      this.take(null);
      this.press('sum', false);
      return null;
    }

    /** Write the card again, in another language. */
    again() { if (this.mode === 'view') this.follow(); else if (this.mode === 'drawn' && this.node) this.polygon(this.shape.getLatLngs()[0]); else if (this.node) this.close(); }
  };

  function line(app, label, ...value) { return BR.el('tr', {}, BR.el('th', { scope: 'row', text: label }), BR.el('td', {}, ...value)); }

  BR.sumsCard = function (app, sums) {
    const { sum, title, top, note } = sums.what;
    const { format } = app;
    const level = format.percent(app.config.facts.level);
    const button = (act, text, f) => BR.el('button', { type: 'button', 'data-act': act, on: { click: f } }, text);
    const between = (low, high) => app.t('sumBetween', { low: format.number(low, 2), high: format.number(high, 2) });
    const rows = [
      line(app, app.t('sumExpected'), BR.el('strong', { 'data-br': 'sum-expected', text: format.number(sum.expected) })),
      sum.low === null ? line(app, app.t('sumInterval', { level }), app.t('noInterval')) : line(app, app.t('sumInterval', { level }), BR.el('span', { 'data-br': 'sum-interval', text: between(sum.low, sum.high) })),
      line(app, app.t('sumCount', { level }), BR.el('span', { 'data-br': 'sum-count', text: between(sum.count[0], sum.count[1]) })),
      line(app, app.t('sumChance'), BR.el('span', { 'data-br': 'sum-chance', text: format.percent(sum.chance, 2) })),
      sum.share === null ? null : line(app, app.t('sumShare'), BR.el('span', { 'data-br': 'sum-share', text: format.percent(sum.share, 2) })),
      sum.areaShare === null ? null : line(app, app.t('sumArea'), BR.el('span', { 'data-br': 'sum-area', text: `${format.value(sum.km2, 'km²')} (${format.percent(sum.areaShare, 2)})` })),
      sum.km2 && sum.unsure ? line(app, app.t('sumUnsure'), BR.el('span', { 'data-br': 'sum-unsure', text: format.percent(sum.unsure / sum.km2, 2) })) : null,
    ];
    const items = top.map((i) => BR.el('li', {}, BR.el('button', { type: 'button', on: { click: () => app.select(i, { move: true }) } }, BR.el('bdi', { class: 'br-id', dir: 'ltr', text: app.cells.id(i) }), BR.el('span', { dir: 'auto', text: BR.whereText(app, i) }), BR.el('span', { class: 'br-number', text: format.percent(app.cells.value('probability', i), 2) }))));
    return BR.el('section', { class: 'br-sums br-card', dir: app.dir(), lang: app.state.lang, 'aria-label': title },
      BR.el('header', {}, BR.el('h2', { dir: 'auto', text: title }), BR.el('button', { type: 'button', class: 'br-icon', 'data-act': 'close', title: app.t('close'), 'aria-label': app.t('close'), on: { click: () => sums.close() } }, '×')),
      BR.el('p', { class: 'br-mute', role: 'status', text: [sum.cells === null ? '' : app.t('sumCells', { n: format.whole(sum.cells) }), app.periodText()].filter(Boolean).join(' · ') }),
      BR.el('table', {}, rows),
      top.length ? [BR.el('h3', { text: app.t('sumTop') }), BR.el('ol', {}, items), note ? BR.el('p', { class: 'br-mute', text: note }) : null] : null,
      BR.el('details', {}, BR.el('summary', { text: app.t('sumHow') }), BR.el('p', { class: 'br-mute', text: app.t(sum.how) }), BR.el('p', { class: 'br-mute', text: app.t('sumHowCount') })),
      BR.el('div', { class: 'br-actions' }, button('geojson', 'GeoJSON', () => BR.save(BR.fileName(app, 'selection', 'geojson'), 'application/geo+json', BR.sumGeoJson(app, sums.what))), button('csv', 'CSV', () => BR.save(BR.fileName(app, 'selection', 'csv'), 'text/csv;charset=utf-8', BR.sumCsv(app, sums.what)))));
  };

  /* --- files --- */
  const round = (value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);

  /** Rows of the cells of a selection; of a section, its highest cells nearby. */
  function cellRow(app, i) {
    const { lat, lon } = BR.cellMiddle(app, i);
    const { expected, low, high, km2 } = BR.cellFacts(app, i);
    const legend = app.config.metrics.find((metric) => metric.name === 'risk');
    const value = (name) => round(app.cells.value(name, i));
    const trust = app.cells.value('trust', i);
    return { cell_id: app.cells.id(i), lon: Number(lon.toFixed(5)), lat: Number(lat.toFixed(5)), near: BR.whereText(app, i), expected: round(expected), expected_low: round(low), expected_high: round(high), probability: value('probability'), probability_low: value('probability_low'), probability_high: value('probability_high'), risk: value('risk'), risk_class: legend && app.cells.loaded.risk ? BR.classOf(app.cells.loaded.risk[i], legend.edges) : null, rank: value('rank'), trust: trust === null ? null : app.config.codes.trust[trust], km2: round(km2) };
  }

  /** What every file of a run says of itself. */
  const provenance = (app) => app.config.facts.stamp;

  BR.sumCsv = (app, { found, top }) => BR.csv((found.length ? found : top).map((i) => ({ ...cellRow(app, i), ...provenance(app) })));

  BR.sumGeoJson = function (app, { title, sum, found, top, geometry }) {
    const { facts, skill, credit } = BR.captionLines(app);
    const whole = { kind: 'selection', title, cells: sum.cells, expected: round(sum.expected), expected_low: round(sum.low), expected_high: round(sum.high), count_low: sum.count[0], count_high: sum.count[1], probability: round(sum.chance), share: round(sum.share), km2: round(sum.km2) };
    const squares = (found.length ? found : top).map((i) => {
      const ring = BR.cellOutline(app, i).map(({ lat, lng }) => [Number(lng.toFixed(6)), Number(lat.toFixed(6))]).reverse();
      return { type: 'Feature', id: app.cells.id(i), properties: { kind: 'cell', ...cellRow(app, i) }, geometry: { type: 'Polygon', coordinates: [[...ring, ring[0]]] } };
    });
    return JSON.stringify({ type: 'FeatureCollection', name: title, ...provenance(app), description: [app.statement(), ...facts, skill, app.t(sum.how)].join(' · '), credit, features: [{ type: 'Feature', properties: whole, geometry }, ...squares] });
  };
})(globalThis.BR = globalThis.BR || {});
