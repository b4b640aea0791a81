/* The legend card: a swatch per class in exactly the map's colour, its values, cells and share of the area. */
(function (BR) {
  'use strict';

  /** Lower and upper value of each class. */
  BR.classBounds = function (metric) {
    const [low, high] = metric.name === 'risk' ? [0, 100] : metric.range;
    const edges = [Math.min(low, ...metric.breaks), ...metric.breaks, Math.max(high, ...metric.breaks)];
    return metric.colours.map((_, k) => [edges[k], edges[k + 1]]);
  };

  function classText(app, metric, k) {
    if (metric.kind === 'codes') return app.codeLabel(metric.name, k);
    const [low, high] = BR.classBounds(metric)[k];
    const { units } = metric.label;
    const text = (value) => (units === 'probability' ? app.format.percent(value, 2) : app.format.number(value));
    return `${text(low)} – ${text(high)}`;
  }

  function classRow(app, metric, k) {
    const swatch = BR.el('span', { class: 'br-swatch', 'data-class': k + 1 });
    swatch.style.setProperty('--swatch', app.colours(metric)[k]);
    if (metric.name === 'trust' && k) swatch.append(BR.hatchSample(k, BR.hatchOn(app.colours(metric)[k])));
    return BR.el('tr', { 'data-class': k + 1 },
      BR.el('td', {}, swatch),
      BR.el('th', { scope: 'row' }, BR.bdi(classText(app, metric, k), metric.kind === 'codes' ? 'auto' : 'ltr')),
      BR.el('td', { text: app.format.percent(metric.shares[k], 2) }),
      BR.el('td', { text: app.format.whole(metric.counts[k]) }));
  }

  /** A small canvas with the hatching of a trust code. */
  BR.hatchSample = function (trust, colour) {
    const canvas = BR.el('canvas', { width: 24, height: 14, 'aria-hidden': 'true' });
    const context = canvas.getContext('2d');
    context.fillStyle = colour;
    for (let y = 0; y < 14; y++) for (let x = 0; x < 24; x++) if (BR.onHatch(trust, x, y)) context.fillRect(x, y, 1, 1);
    return canvas;
  };

  function table(app, metric) {
    const body = metric.colours.map((_, k) => classRow(app, metric, k));
    if (metric.kind !== 'codes') body.reverse();
    const header = BR.el('tr', {}, BR.el('td'), BR.el('td'), BR.el('th', { scope: 'col', text: app.t('areaShare') }), BR.el('th', { scope: 'col', text: app.t('cellsShort') }));
    return BR.el('table', {}, BR.el('thead', {}, header), BR.el('tbody', {}, body));
  }

  function hatching(app, metric) {
    const trust = app.config.metrics.find((m) => m.name === 'trust');
    if (!trust || metric === trust || !app.shown('hatch') || trust.counts.slice(1).every((n) => !n)) return null;
    const lines = [1, 2, 3].filter((k) => trust.counts[k]).map((k) => BR.el('div', {}, BR.el('span', { class: 'br-swatch br-plain' }, BR.hatchSample(k, '#ffffff')), app.codeLabel('trust', k)));
    return BR.el('div', { class: 'br-legend-part' }, BR.el('strong', { text: app.t('hatched') }), lines);
  }

  /** Name under which a kind of incident is switched on and off. */
  BR.kindKey = (kind) => `kind-${kind}`;

  function incidentKinds(app) {
    const [from, to] = app.timeWindow();
    const shown = app.incidents.filter((item) => item.last >= from && item.first <= to).map((item) => item.incident.kind);
    const kinds = app.config.kinds.filter((kind) => shown.includes(kind.name));
    if (!app.shown('incidents') || !kinds.length) return null;
    return BR.el('details', { class: 'br-legend-part', open: app.kindsOpen !== false, on: { toggle: (event) => { app.kindsOpen = event.target.open; } } },
      BR.el('summary', { text: app.t('incidents') }),
      BR.el('div', { class: 'br-kinds' }, kinds.map((kind) => {
        const box = BR.el('input', { type: 'checkbox', 'data-kind': kind.name, on: { change: () => app.toggle(BR.kindKey(kind.name), box.checked) } });
        box.checked = app.shown(BR.kindKey(kind.name));
        return BR.el('label', {}, box, BR.kindDot(kind), BR.bdi(kind.label[app.state.lang]), ' ', BR.el('small', { text: app.format.whole(shown.filter((name) => name === kind.name).length) }));
      })));
  }

  /** Colours of the further layers that are on: their ramp from end to end, or their one line. */
  function lines(app) {
    const shown = app.config.layers.filter((layer) => layer.features.length && app.shown(layer.name));
    if (!shown.length) return null;
    const strip = (colour) => {
      const piece = BR.el('i', { class: 'br-line' });
      piece.style.setProperty('--swatch', colour);
      return piece;
    };
    return BR.el('div', { class: 'br-legend-part' }, shown.map((layer) => {
      const label = layer.label[app.state.lang];
      if (!layer.ramp.length) return BR.el('div', { 'data-layer': layer.name }, strip(layer.colour), ' ', label);
      const [low, high] = layer.ends[app.state.lang];
      return BR.el('div', { 'data-layer': layer.name }, BR.el('div', { text: label }),
        BR.el('small', {}, low, ' ', BR.el('span', { class: 'br-strip' }, BR.layerRamp(app, layer).map(strip)), ' ', high));
    }));
  }

  BR.legend = function (app) {
    const metric = app.metric();
    const unit = app.format.unit(metric.label.units);
    const title = BR.el('summary', {}, BR.el('strong', { text: metric.label[app.state.lang] }), unit && !['percentile', 'probability', 'codes', '1'].includes(metric.label.units) ? BR.el('small', { text: ` (${unit})` }) : null);
    const open = app.legendOpen !== false;
    return BR.el('section', { class: 'br-legend br-card', dir: app.dir(), lang: app.state.lang, 'aria-label': app.t('legend') },
      BR.el('details', { open, on: { toggle: (event) => { if (event.target === event.currentTarget) app.legendOpen = event.target.open; } } },
        title, table(app, metric), hatching(app, metric), lines(app), incidentKinds(app)));
  };
})(globalThis.BR = globalThis.BR || {});
