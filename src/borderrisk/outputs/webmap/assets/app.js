/* The map: its state, and what each change of it redraws. */
(function (BR) {
  'use strict';
  const DARK = () => globalThis.matchMedia('(prefers-color-scheme: dark)');

  BR.App = class {
    /** `config`, and `packed` (the text of each column by its name), are read from the page if they are not given. */
    constructor(map, extra, config = JSON.parse(document.getElementById('br-config').textContent), packed = (name) => document.getElementById(`br-col-${name}`).textContent) {
      Object.assign(this, { map, extra, config });
      this.cells = new BR.Cells(config.grid, config.columns, packed);
      this.state = { layer: config.metrics[0].name, opacity: extra.tiles ? 75 : 100, min: null, cell: null, lang: config.language, theme: null, from: null, to: null, hide: [], show: [], ...this._fromAddress() };
      this.setLanguage();
    }

    _fromAddress() {
      const read = BR.readHash(location.hash);
      const known = (value, list) => (list.includes(value) ? value : undefined);
      const state = { ...read, layer: known(read.layer, this.config.metrics.map((m) => m.name)), lang: known(read.lang, Object.keys(this.config.strings)), theme: known(read.theme, ['light', 'dark']) };
      if (state.opacity !== undefined) state.opacity = BR.clamp(state.opacity, 0, 100);
      return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined));
    }

    /* --- words --- */
    t(key, values) { return BR.fill(this.config.strings[this.state.lang][key] || key, values || {}); }
    dir() { return this.state.lang === 'fa' ? 'rtl' : 'ltr'; }
    kind(name) { return this.config.kinds.find((kind) => kind.name === name); }
    kindLabel(name) { return this.kind(name).label[this.state.lang]; }
    placeName(place) { return (this.state.lang === 'fa' && place.fa) || place.n; }
    placeByName(name) {
      const wanted = BR.normalise(name);
      const place = this.config.places.find((p) => BR.normalise(p.n) === wanted);
      return place && place.fa && this.state.lang === 'fa' ? place.fa : name;
    }

    modelLabel(name) { return (this.config.names.models[name] || {})[this.state.lang] || name.replace(/_/g, ' '); }
    /** Word for a code of a coded variable. */
    codeLabel(name, code) {
      const word = this.config.codes[name][code] || String(code);
      return (this.config.names.codes[word] || {})[this.state.lang] || word.replace(/_/g, ' ');
    }

    setLanguage() {
      this.format = new BR.Format(this.state.lang, this.config.names.units);
      Object.assign(document.documentElement, { lang: this.state.lang, dir: this.dir() });
      document.title = this.config.title[this.state.lang] || this.config.title.en;
    }

    /** What the numbers are, in a sentence. */
    statement() {
      const { statement, statementFa } = this.config.facts;
      const own = this.state.lang === 'en' ? statement : statementFa && `${statementFa} ${this.t('statement')}`;
      return own || this.t('statement');
    }
    periodText() { const { origin, until } = this.config.facts; return until ? this.t('captionPeriod', { from: origin, to: until }) : ''; }

    /* --- looks --- */
    theme() { return this.state.theme || (DARK().matches ? 'dark' : 'light'); }
    /** Colours of a metric's classes: the same hues on either ground, the high ones standing out from it. */
    colours(metric) { return this.theme() === 'dark' ? metric.dark : metric.colours; }
    metric() { return this.config.metrics.find((metric) => metric.name === this.state.layer); }

    /* --- what is switched on --- */
    switches() {
      const { config, extra } = this;
      const own = ['borders', 'area', 'places', 'incidents', 'top'];
      if (config.metrics.some((metric) => metric.name === 'trust')) own.push('hatch');
      if (extra.relief) own.push('relief');
      if (extra.tiles) own.push('baseMap');
      return [...own.map((name) => ({ name, label: this.t(name) })), ...config.layers.map((layer) => ({ name: layer.name, label: layer.label[this.state.lang] }))];
    }

    shownFirst(name) { const layer = this.config.layers.find((item) => item.name === name); return layer ? layer.shown : true; }
    shown(name) { return this.shownFirst(name) ? !this.state.hide.includes(name) : this.state.show.includes(name); }
    toggle(name, on) {
      const key = this.shownFirst(name) ? 'hide' : 'show';
      const rest = this.state[key].filter((item) => item !== name);
      this.update({ [key]: on === (key === 'hide') ? rest : [...rest, name] });
    }

    timeSpan() {
      const days = this.config.incidents.flatMap(({ date, end }) => [BR.dayOf(date), BR.dayOf(end)]);
      return days.length ? [days.reduce((a, b) => Math.min(a, b)), days.reduce((a, b) => Math.max(a, b))] : [0, 0];
    }

    timeWindow() {
      const [first, last] = this.timeSpan();
      return [this.state.from ? BR.dayOf(this.state.from) : first, this.state.to ? BR.dayOf(this.state.to) : last];
    }

    /* --- change --- */
    async update(patch) {
      Object.assign(this.state, patch);
      const touched = (...keys) => keys.some((key) => key in patch);
      if (touched('lang')) this.setLanguage();
      if (touched('theme')) this.applyTheme();
      if (touched('layer', 'min', 'theme', 'hide', 'show')) await this.paint();
      if (touched('opacity')) this.riskLayer.setOpacity(this.state.opacity / 100);
      if (touched('lang', 'layer', 'theme')) this.buildInterface();
      if (touched('from', 'to', 'hide', 'show', 'lang', 'theme')) this.showAll();
      if (touched('hide', 'show', 'from', 'to', 'opacity')) this.buildLegend();
      if (touched('lang', 'layer', 'theme') && this.map.hasLayer(this.popup)) this.select(this.cells.find(this.state.cell));
      this.writeHash();
    }

    applyTheme() {
      document.documentElement.dataset.theme = this.theme();
      BR.buildVectors(this);
      BR.buildIncidents(this);
    }

    async paint() {
      const metric = this.metric();
      const { name } = metric;
      const [codes, trust] = await Promise.all([this.cells.load(name), this.cells.load('trust')]);
      if (name !== this.state.layer) return;
      const scale = this.config.columns[name];
      const from = this.state.min === null ? 0 : BR.codeFrom(scale, this.state.min);
      const raster = BR.classRaster(this.cells, codes, scale, metric.edges, from, trust);
      const order = BR.prominence(metric.colours.length, metric.kind === 'diverging');
      const { rows, cols } = this.config.grid;
      const hatched = metric.kind === 'codes' || this.shown('hatch');
      const layer = { mesh: this.config.meshes.toGrid, levels: BR.pyramid(raster, cols, rows, order), lut: BR.lut(this.colours(metric)), hatch: hatched ? BR.lut(this.colours(metric), BR.hatchOn) : null };
      this.riskLayer.setLayer(layer);
      this.mini.paint(layer);
    }

    showAll() {
      const count = BR.showVectors(this);
      BR.showPlaces(this);
      if (this.tellIncidents) this.tellIncidents(count);
      if (this.fillIncidents) this.fillIncidents();
      for (const [name, layer] of [['relief', this.extra.relief], ['baseMap', this.extra.tiles]]) {
        if (!layer) continue;
        if (this.shown(name)) layer.addTo(this.map);
        else layer.remove();
      }
    }

    /* --- cells --- */
    cellAt(point) {
      const spot = BR.meshAt(this.config.meshes.toGrid, ...BR.mercator(point.lng, point.lat));
      return spot ? this.cells.at(...spot) : -1;
    }

    /** Unpack what the popup of a cell reads. */
    async loadPopup(i) {
      await Promise.all(BR.popupColumns(this.config).map((name) => this.cells.load(name)));
      await Promise.all(BR.driversOf(this, i).map(({ feature }) => this.cells.load(feature.name)));
    }

    /** Go to the first of the positions that lies on the map; returns what to say about it. */
    goTo(positions) {
      const { bounds } = this.config;
      const at = positions.find((position) => BR.onMap(position, bounds, 0)) || positions.find((position) => BR.onMap(position, bounds));
      const say = ({ lat, lon }) => `\u2066${BR.decimal(lat, lon)} · ${BR.dms(lat, lon)}\u2069`;
      if (!at) return this.t('offMap', { at: say(positions[0]), south: BR.decimal(bounds[1], bounds[0]), north: BR.decimal(bounds[3], bounds[2]) });
      this.pin = (this.pin || L.circleMarker([0, 0], { radius: 9, weight: 3, fill: false, interactive: false })).setLatLng([at.lat, at.lon]).setStyle({ color: '#d500f9' }).addTo(this.map);
      this.map.setView([at.lat, at.lon], Math.max(10, this.map.getZoom()), { animate: false });
      const point = L.latLng(at.lat, at.lon);
      const i = this.cellAt(point);
      if (i >= 0) this.select(i, { at: point }); else this.map.closePopup();
      return `${this.t(at.swapped ? 'readTurned' : 'readAs', { at: say(at) })}${i < 0 ? ` ${this.t('notScored')}` : ''}`;
    }

    /** Open a cell's popup. `move`: bring it into view first. */
    async select(i, { at, move } = {}) {
      if (i < 0) return;
      const outline = BR.cellOutline(this, i);
      const point = at || L.latLngBounds(outline).getCenter();
      if (move) this.map.setView(point, Math.max(this.map.getZoom(), 9), { animate: false });
      await this.loadPopup(i);
      this.selection.setLatLngs(outline);
      this.popup.setLatLng(point).setContent(BR.cellPopup(this, i)).openOn(this.map);
      this.state.cell = this.cells.id(i);
      this.writeHash();
    }

    home() {
      const [west, south, east, north] = this.config.bounds;
      this.map.fitBounds([[south, west], [north, east]], { animate: false, ...this.clear('padding') });
    }

    /** Room kept free of the legend: beside it on a wide map, above it on a narrow one. Keys of Leaflet's options begin with `prefix`. */
    clear(prefix) {
      const { x: width, y: height } = this.map.getSize();
      const legend = this.legendNode ? this.legendNode.getBoundingClientRect() : { width: 240, height: 200 };
      const beside = width > 700 ? legend.width + 28 : 16;
      const [top, bottom] = width > 700 ? [16, 16] : [64, Math.min(legend.height + 34, 0.5 * height)];
      const left = this.dir() === 'rtl';
      return { [`${prefix}TopLeft`]: [left ? beside : 16, top], [`${prefix}BottomRight`]: [left ? 16 : beside, bottom] };
    }

    writeHash() {
      if (!this.started) return;
      const { lat, lng } = this.map.getCenter();
      const state = { ...this.state, view: { zoom: this.map.getZoom(), lat, lon: lng } };
      if (state.layer === this.config.metrics[0].name) delete state.layer;
      if (state.lang === this.config.language) delete state.lang;
      if (state.opacity === (this.extra.tiles ? 75 : 100)) delete state.opacity;
      // A page inside another one may have no address of its own.
      try { history.replaceState(null, '', BR.writeHash(state)); } catch (error) { if (error.name !== 'SecurityError') throw error; }
    }

    say(text) { this.status.textContent = text; }
    toolButton(name) { return document.querySelector(`[data-tool="${name}"]`); }
    togglePanel() {
      document.documentElement.classList.toggle('br-no-panel');
      this.map.invalidateSize({ animate: false });
    }
  };
})(globalThis.BR = globalThis.BR || {});
