/* What a cell, an incident or another feature says when it is clicked. */
(function (BR) {
  'use strict';
  const MOST_INCIDENTS = 6;

  /** Columns a popup reads; loaded before the first one opens. */
  BR.popupColumns = (config) => [...BR.factColumns(config), ...config.popup, 'change', 'probability', 'probability_low', 'probability_high', 'trust', 'rank', 'rank_low', 'rank_high',
    ...[1, 2, 3].flatMap((k) => [`driver_${k}`, `driver_${k}_effect`])].filter((name) => name in config.columns);

  /** Whether the run computed no interval (as against: left it out of this file). */
  BR.noInterval = (config) => !('probability_low' in config.columns) && !config.dropped.includes('probability_low');

  /** The dot of a kind of incident, as on the map. */
  BR.kindDot = function (kind) {
    const mark = BR.el('span', { class: kind.ring ? 'br-dot br-ring' : 'br-dot' });
    mark.style.setProperty('--swatch', kind.colour);
    return mark;
  };

  /** Features a popup may name as drivers. */
  BR.driverColumns = (config) => config.drivers.map((feature) => feature.name).filter((name) => name in config.columns);

  /** Features named as drivers of a cell. */
  BR.driversOf = function (app, i) {
    return [1, 2, 3].flatMap((k) => {
      const code = app.cells.value(`driver_${k}`, i);
      const feature = code === null ? null : app.config.drivers[code];
      const effect = app.cells.value(`driver_${k}_effect`, i);
      return feature ? [{ feature, effect }] : [];
    });
  };

  const row = (label, ...value) => BR.el('tr', {}, BR.el('th', { scope: 'row', text: label }), BR.el('td', {}, ...value));
  const heading = (text, note) => BR.el('h3', { text }, note ? BR.el('small', { text: note }) : null);

  /** Id of a cell and the colour of its class, with its name where `told`. */
  function head(app, i, told) {
    const risk = app.cells.value('risk', i);
    const legend = app.config.metrics.find((metric) => metric.name === 'risk');
    const parts = [BR.el('bdi', { class: 'br-id', dir: 'ltr', text: app.cells.id(i) })];
    if (legend && risk !== null) {
      const k = BR.classOf(app.cells.loaded.risk[i], legend.edges);
      const chip = BR.el('span', { class: 'br-chip', text: told ? app.t('riskClass', { n: app.format.number(k) }) : '' });
      chip.style.setProperty('--swatch', app.colours(legend)[k - 1]);
      parts.push(chip);
    }
    return BR.el('div', { class: 'br-pop-head' }, parts);
  }

  function rankText(app, i) {
    const number = (n) => app.format.whole(n);
    const all = number(app.config.grid.scored);
    const rank = app.cells.value('rank', i);
    if (rank !== null) {
      const [low, high] = [app.cells.value('rank_low', i), app.cells.value('rank_high', i)];
      const text = app.t('rankOf', { rank: number(rank), all });
      return low === null || high === null ? text : `${text} (${number(low)}–${number(high)})`;
    }
    const risk = app.cells.value('risk', i);
    return risk === null ? null : app.t('rankAbout', { rank: number(Math.max(1, (1 - risk / 100) * app.config.grid.scored)), all });
  }

  function probability(app, i) {
    const value = app.cells.value('probability', i);
    if (value === null) return null;
    const [low, high] = [app.cells.value('probability_low', i), app.cells.value('probability_high', i)];
    const days = app.config.facts.horizonDays;
    const box = BR.el('div', { class: 'br-prob' },
      BR.el('strong', { 'data-br': 'probability', text: app.format.percent(value) }),
      BR.el('span', { text: days ? app.t('inHorizon', { days: app.format.whole(days) }) : app.t('chance') }));
    if (BR.noInterval(app.config)) box.append(BR.el('span', { class: 'br-mute', 'data-br': 'no-interval', text: ` ${app.t('noInterval')}` }));
    if (low === null || high === null) return box;
    box.append(bar(value, low, high), BR.el('span', { 'data-br': 'interval', text: app.t('interval', { level: app.format.percent(app.config.facts.level), low: app.format.percent(low, app.cells.digits('probability_low')), high: app.format.percent(high, app.cells.digits('probability_high')) }) }));
    return box;
  }

  /** The interval on a logarithmic ruler from a tenth of its low to its high end. */
  function bar(value, low, high) {
    const start = Math.log(Math.max(low, 1e-9) / 2);
    const span = Math.log(Math.max(high, 1e-9) * 2) - start;
    const at = (p) => BR.clamp((100 * (Math.log(Math.max(p, 1e-9)) - start)) / span, 0, 100);
    const range = BR.el('i');
    range.style.left = `${at(low)}%`;
    range.style.width = `${at(high) - at(low)}%`;
    const mark = BR.el('b');
    mark.style.left = `${at(value)}%`;
    return BR.el('div', { class: 'br-bar', dir: 'ltr', 'aria-hidden': 'true' }, range, mark);
  }

  function facts(app, i) {
    const table = BR.el('table');
    const rank = rankText(app, i);
    if (rank) table.append(row(app.t('rank'), BR.el('span', { 'data-br': 'rank', text: rank })));
    const change = app.cells.value('change', i);
    if (change !== null) table.append(row(app.config.metrics.find((metric) => metric.name === 'change').label[app.state.lang], BR.el('span', { 'data-br': 'change', text: app.codeLabel('change', change) })));
    for (const name of app.config.popup) {
      const value = app.cells.value(name, i);
      if (value === null) continue;
      const { label } = app.config.metrics.find((metric) => metric.name === name);
      table.append(row(label[app.state.lang], BR.el('span', { 'data-br': name, text: name === 'risk_change' ? app.format.signed(value) : app.format.value(value, label.units, app.cells.digits(name)) })));
    }
    const trust = app.cells.value('trust', i);
    if (trust !== null) {
      const words = app.codeLabel('trust', trust);
      table.append(row(app.t('trustTitle'), BR.el('span', { class: trust ? 'br-warn' : 'br-ok', 'data-br': 'trust', text: words })));
    }
    return table;
  }

  function current(app, i) {
    const metric = app.metric();
    if (BR.popupColumns(app.config).includes(metric.name) || metric.name === 'trust') return null;
    const value = app.cells.value(metric.name, i);
    return BR.el('table', {}, row(metric.label[app.state.lang], BR.el('span', { 'data-br': 'current', text: app.format.value(value, metric.label.units) })));
  }

  function drivers(app, i) {
    const found = BR.driversOf(app, i);
    if (!found.length) return null;
    const rows = found.map(({ feature, effect }) => BR.el('tr', { 'data-br': 'driver' },
      BR.el('td', {}, BR.el('span', { class: effect > 0 ? 'br-up' : 'br-down', text: effect > 0 ? '▲' : '▼', title: app.t(effect > 0 ? 'raises' : 'lowers') })),
      BR.el('th', { scope: 'row', text: feature.label[app.state.lang] }),
      BR.el('td', { text: app.format.value(app.cells.value(feature.name, i), feature.label.units, app.cells.digits(feature.name)) }),
      BR.el('td', {}, BR.el('bdi', { dir: 'ltr', class: effect > 0 ? 'br-up' : 'br-down', text: effect === null ? '' : app.format.signed(effect) }))));
    return [heading(app.t('drivers'), app.t('driverNote')), BR.el('table', { class: 'br-drivers' }, rows)];
  }

  function earlier(app, i) {
    const [r, c] = app.cells.rowCol(i);
    const found = BR.incidentsOver(app.config, r, c);
    if (!found.length) return BR.el('p', { class: 'br-mute', text: app.t('earlierNone') });
    const open = (incident) => BR.openIncidents(app, [incident], L.latLng(incident.y, incident.x));
    const items = found.slice(0, MOST_INCIDENTS).map((incident) => BR.el('li', { 'data-br': 'incident' },
      BR.el('button', { type: 'button', class: 'br-plainbutton', on: { click: () => open(incident) } }, BR.incidentLine(app, incident), BR.el('small', {}, ' ±', BR.el('bdi', { text: app.format.value(incident.radius, 'km') })))));
    const rest = found.length - items.length;
    return [heading(app.t('earlier')), BR.el('ul', {}, items, rest > 0 ? BR.el('li', { class: 'br-mute', text: app.t('more', { n: app.format.whole(rest) }) }) : null)];
  }

  const dot = (app, incident) => BR.kindDot(app.kind(incident.kind));

  const frame = (app, label, ...content) => BR.el('div', { class: 'br-pop', dir: app.dir(), lang: app.state.lang, tabindex: '-1', role: 'dialog', 'aria-label': label }, ...content);

  /** Where something is: decimal degrees and degrees, minutes, seconds. */
  BR.positionLine = (lat, lon) => BR.el('p', { class: 'br-mute br-position', 'data-br': 'position' }, BR.bdi(BR.decimal(lat, lon), 'ltr'), ' · ', BR.bdi(BR.dms(lat, lon), 'ltr'));

  function middle(app, i) {
    const { lat, lon } = BR.cellMiddle(app, i);
    return BR.positionLine(lat, lon);
  }

  /** What a cell says, in sentences. */
  function sentences(app, said) {
    const { phrases } = app.config.words[app.state.lang];
    const text = (name, ...parts) => BR.el('p', { 'data-br': name, dir: app.dir() }, parts);
    return [
      text('said-chance', said.chance, ' ', said.rank),
      said.why ? text('said-why', BR.el('strong', { text: phrases.why }), ' ', said.why) : null,
      said.rely ? text('said-rely', BR.el('strong', { text: phrases.rely }), ' ', BR.el('span', { text: said.rely })) : null,
    ];
  }

  /** Why a cell stands where it does: sentences, or numbers on a map that does not carry what they are made of. */
  BR.why = (app, i) => (BR.hasFacts(app, i) ? sentences(app, BR.answer(app, i)) : [probability(app, i), facts(app, i), drivers(app, i)]);

  BR.cellPopup = function (app, i) {
    const numbers = [probability(app, i), current(app, i), facts(app, i), drivers(app, i), earlier(app, i)];
    const title = app.t('cellTitle', { cell: app.cells.id(i) });
    if (!BR.hasFacts(app, i)) return frame(app, title, head(app, i, true), numbers, middle(app, i));
    const said = BR.answer(app, i);
    return frame(app, title, BR.el('p', { class: 'br-said', 'data-br': 'said-head' }, BR.el('strong', { dir: 'auto', text: said.head })), head(app, i), sentences(app, said),
      BR.el('details', { class: 'br-numbers', open: app.numbersOpen === undefined ? 'risk_change' in app.config.columns : app.numbersOpen, on: { toggle: (event) => { if (event.target === event.currentTarget) { app.numbersOpen = event.target.open; app.popup.update(); } } } }, BR.el('summary', { text: app.t('numbers') }), numbers.flat()), middle(app, i));
  };

  /** An incident in a line: its dot, date, kind and place. */
  BR.incidentLine = (app, incident) => [dot(app, incident), BR.bdi(app.format.date(incident.date, incident.date_precision), 'ltr'), ' ', BR.bdi(app.kindLabel(incident.kind)), incident.place ? [' · ', BR.bdi(app.placeByName(incident.place))] : null].flat();

  /** Several incidents of one place: each unfolds. */
  BR.stackPopup = (app, incidents) => frame(app, app.t('incidentsHere', { n: app.format.whole(incidents.length) }),
    BR.el('div', { class: 'br-pop-head' }, BR.el('strong', { text: app.t('incidentsHere', { n: app.format.whole(incidents.length) }) })),
    incidents.map((incident) => BR.el('details', { 'data-br': 'stacked', 'data-incident': incident.incident_id }, BR.el('summary', {}, BR.incidentLine(app, incident)), incidentBody(app, incident))),
    BR.el('p', { class: 'br-mute', text: app.t('circleNote') }));

  BR.incidentPopup = function (app, incident) {
    const where = [incident.place && app.placeByName(incident.place), incident.province].filter(Boolean).join(' · ');
    return frame(app, app.kindLabel(incident.kind),
      BR.el('div', { class: 'br-pop-head' }, dot(app, incident), BR.el('strong', {}, BR.bdi(app.kindLabel(incident.kind))), where ? BR.bdi(where) : null),
      incidentBody(app, incident), BR.el('p', { class: 'br-mute', text: app.t('circleNote') }));
  };

  function incidentBody(app, incident) {
    const table = BR.el('table');
    const dates = incident.end !== incident.date && !['month', 'year'].includes(incident.date_precision) ? `${incident.date} – ${incident.end}` : app.format.date(incident.date, incident.date_precision);
    table.append(row(app.t('date'), BR.bdi(dates, app.state.lang === 'fa' ? 'rtl' : 'ltr')), row(app.t('radius'), BR.bdi(app.format.value(incident.radius, 'km'))));
    if (incident.confidence) table.append(row(app.t('confidence'), app.t(incident.confidence)));
    for (const name of ['actor', 'target']) if (incident[name]) table.append(row(app.t(name), BR.bdi(incident[name])));
    if (incident.deaths !== null && incident.deaths !== undefined) table.append(row(app.t('deaths'), app.format.whole(incident.deaths)));
    if (incident.source) table.append(row(app.t('source'), BR.bdi(incident.source)));
    return [incident.summary ? BR.el('p', { dir: 'auto', text: incident.summary }) : null, table, BR.positionLine(incident.y, incident.x)];
  }

  BR.featurePopup = function (app, layer, feature) {
    const table = BR.el('table');
    layer.fields.forEach((field, k) => {
      const value = feature.p[k];
      if (value === null || value === '') return;
      const text = typeof value === 'number' ? app.format.value(value, field.units) : value[app.state.lang] || `${value}`;
      table.append(row(field[app.state.lang], BR.bdi(text)));
    });
    const name = layer.label[app.state.lang];
    const id = layer.fields.findIndex((field) => field.column === 'segment_id');
    const sum = BR.sumOfSection(app, layer, feature) && BR.el('div', { class: 'br-actions' }, BR.el('button', { type: 'button', 'data-act': 'section', on: { click: () => app.sums.section(layer, feature, feature.p[id]) } }, app.t('sumOpen')));
    const told = layer.name === 'segments' && app.sections && app.sections[layer.features.indexOf(feature)];
    if (!told) return frame(app, name, BR.el('div', { class: 'br-pop-head' }, BR.el('strong', { text: name })), table, sum || null);
    const said = told[app.state.lang];
    return frame(app, name, BR.el('p', { class: 'br-said' }, BR.el('strong', { dir: 'auto', text: said.head })), sentences(app, { ...said, chance: `${said.chance} ${said.expected}` }), sum || null,
      BR.el('details', { class: 'br-numbers' }, BR.el('summary', { text: app.t('numbers') }), table));
  };
})(globalThis.BR = globalThis.BR || {});
