/* The side panel: heading, search, layer, opacity, threshold, time window, what is on the map, highest-ranked cells. */
(function (BR) {
  'use strict';
  const STEPS = 1000;

  function heading(app) {
    const { title } = app.config;
    return BR.el('header', {}, BR.el('h1', { dir: 'auto', text: title[app.state.lang] || title.en }), BR.el('p', { class: 'br-statement', dir: 'auto', text: app.statement() }));
  }

  function search(app) {
    const results = BR.el('ul', { id: 'br-results', class: 'br-results', 'aria-label': app.t('searchResults') });
    const say = BR.el('p', { class: 'br-mute', role: 'status' });
    const input = BR.el('input', { id: 'br-search', type: 'search', dir: 'auto', autocomplete: 'off', placeholder: app.t('searchHint'), 'aria-label': app.t('search'), 'aria-controls': 'br-results' });
    const clear = () => { results.replaceChildren(); say.textContent = ''; };
    const go = (place) => { clear(); input.value = app.placeName(place); app.map.setView([place.y, place.x], Math.max(9, app.map.getZoom()), { animate: false }); };
    input.addEventListener('input', () => {
      clear();
      for (const place of BR.findPlaces(app.config.places, input.value)) {
        results.append(BR.el('li', {}, BR.el('button', { type: 'button', on: { click: () => go(place) } }, BR.bdi(app.placeName(place)), BR.el('small', { text: app.t('population', { n: app.format.whole(place.pop) }) }))));
      }
    });
    const submit = (event) => {
      event.preventDefault();
      const text = input.value;
      const i = app.cells.find(BR.normalise(text).replace(/ /g, ''));
      const positions = BR.readPositions(text);
      const [place] = BR.findPlaces(app.config.places, text, 1);
      if (i >= 0) { clear(); app.select(i, { move: true }); } else if (positions.length) { clear(); say.textContent = app.goTo(positions); } else if (place) go(place);
      else if (text.trim()) { clear(); say.textContent = app.t('notFound', { query: text.trim() }); }
    };
    return BR.el('form', { role: 'search', class: 'br-search', on: { submit } }, input, BR.el('button', { class: 'br-icon', type: 'submit', title: app.t('search'), 'aria-label': app.t('search') }, BR.icon('search')), results, say);
  }

  function metricSelect(app) {
    const select = BR.el('select', { id: 'br-layer', on: { change: () => app.update({ layer: select.value, min: null }) } });
    const groups = [...new Set(app.config.metrics.map((metric) => metric.group))];
    for (const group of groups) {
      const options = app.config.metrics.filter((metric) => metric.group === group).map((metric) => BR.el('option', { value: metric.name, text: metric.label[app.state.lang] }));
      select.append(groups.length > 1 ? BR.el('optgroup', { label: app.t(group) }, options) : BR.el('optgroup', { label: app.t('scores') }, options));
    }
    select.value = app.state.layer;
    return BR.el('label', { class: 'br-row' }, BR.el('span', { text: app.t('layer') }), select);
  }

  function opacity(app) {
    const out = BR.el('output', { text: app.format.percent(app.state.opacity / 100) });
    const range = BR.el('input', { id: 'br-opacity', type: 'range', min: 0, max: 100, step: 5, on: { input: () => { app.update({ opacity: Number(range.value) }); out.textContent = app.format.percent(range.value / 100); } } });
    range.value = app.state.opacity;
    return BR.el('label', { class: 'br-row' }, BR.el('span', { text: app.t('opacity') }), range, out);
  }

  function threshold(app) {
    const metric = app.metric();
    if (metric.kind === 'codes') return null;
    const scale = app.config.columns[metric.name];
    const toValue = (step) => BR.decode({ ...scale, n: -1 }, (step / STEPS) * (scale.n - 1));
    const toStep = (value) => (STEPS * BR.codeFrom(scale, value)) / (scale.n - 1);
    const text = () => (app.state.min === null ? app.t('all') : app.format.value(app.state.min, metric.label.units, 2));
    const out = BR.el('output', { text: text() });
    const change = () => {
      const min = Number(range.value) ? Number(toValue(Number(range.value)).toPrecision(3)) : null;
      app.update({ min });
      out.textContent = text();
    };
    const range = BR.el('input', { id: 'br-threshold', type: 'range', min: 0, max: STEPS, on: { input: change } });
    range.value = app.state.min === null ? 0 : toStep(app.state.min);
    return BR.el('label', { class: 'br-row' }, BR.el('span', { text: app.t('threshold') }), range, out);
  }

  function timeWindow(app) {
    const [first, last] = app.timeSpan();
    if (!(last > first)) return null;
    const say = BR.el('p', { class: 'br-mute', role: 'status' });
    const tell = (count) => { say.textContent = app.t('incidentsShown', { n: app.format.whole(count), all: app.format.whole(app.incidents.length) }); };
    app.tellIncidents = tell;
    const [from, to] = app.timeWindow();
    const slider = (key, id, start) => {
      const out = BR.el('output', {}, BR.bdi(BR.isoOf(start), 'ltr'));
      const range = BR.el('input', { id, type: 'range', min: first, max: last, on: { input: () => {
        const day = Number(range.value);
        out.replaceChildren(BR.bdi(BR.isoOf(day), 'ltr'));
        app.update({ [key]: day === (key === 'from' ? first : last) ? null : BR.isoOf(day) });
      } } });
      range.value = start;
      return BR.el('label', { class: 'br-row' }, BR.el('span', { text: app.t(key) }), range, out);
    };
    const notes = [app.t('circleNote')];
    if (app.config.incidents.some((incident) => BR.isLater(app.config, incident))) notes.push(app.t('afterOrigin'));
    return BR.el('section', {}, BR.el('h2', { text: app.t('incidents') }), slider('from', 'br-from', from), slider('to', 'br-to', to), say, BR.el('p', { class: 'br-mute', text: notes.join(' ') }));
  }

  /** The incidents in view as a list, for whoever cannot or does not want to click dots. */
  function incidentList(app) {
    const list = BR.el('ul', { class: 'br-list' });
    const node = BR.el('details', { class: 'br-incidents', open: app.listOpen === true }, BR.el('summary', { text: app.t('incidentList') }), list);
    app.fillIncidents = () => {
      if (!node.open) return;
      list.replaceChildren(...BR.incidentsInView(app).map((incident) => BR.el('li', {}, BR.el('button', { type: 'button', 'data-incident': incident.incident_id, on: { click: () => BR.openIncidents(app, [incident], L.latLng(incident.y, incident.x), { move: !app.map.getBounds().contains([incident.y, incident.x]) }) } }, BR.el('span', {}, BR.incidentLine(app, incident))))));
    };
    node.addEventListener('toggle', () => { app.listOpen = node.open; app.fillIncidents(); });
    return app.config.incidents.length ? node : null;
  }

  function layers(app) {
    const boxes = app.switches().map(({ name, label }) => {
      const box = BR.el('input', { type: 'checkbox', id: `br-show-${name}`, on: { change: () => app.toggle(name, box.checked) } });
      box.checked = app.shown(name);
      return BR.el('label', { class: 'br-check' }, box, BR.el('span', { dir: 'auto', text: label }));
    });
    return BR.el('section', {}, BR.el('h2', { text: app.t('layers') }), BR.el('div', { class: 'br-checks' }, boxes));
  }

  /** The highest places: each unfolds to its reasons and is shown on the map. */
  function topCells(app) {
    const items = app.config.top.map((i) => {
      const value = app.cells.value('probability', i);
      const why = BR.el('div', { class: 'br-why br-pop' });
      const fill = async () => { if (!fold.open || why.childNodes.length) return; await app.loadPopup(i); why.replaceChildren(...BR.why(app, i).flat().filter(Boolean), BR.el('div', { class: 'br-actions' }, BR.el('button', { type: 'button', 'data-act': 'show', on: { click: () => app.select(i, { move: true }) } }, app.t('showOnMap')))); };
      const fold = BR.el('details', { 'data-cell': app.cells.id(i), on: { toggle: fill } },
        BR.el('summary', {}, BR.el('span', { dir: 'auto', text: BR.whereText(app, i) || app.cells.id(i) }), ' ', value === null ? null : BR.el('span', { class: 'br-number', text: app.format.percent(value, 2) })), why);
      return BR.el('li', {}, fold);
    });
    return BR.el('section', { class: 'br-top' }, BR.el('h2', { text: app.t('topTitle') }), BR.el('ol', {}, items), BR.el('p', { class: 'br-mute', text: app.t('topNote') }));
  }

  BR.panel = function (app) {
    return BR.el('aside', { class: 'br-panel', id: 'br-panel', dir: app.dir(), lang: app.state.lang, 'aria-label': app.t('panel') },
      heading(app), search(app),
      BR.el('section', {}, metricSelect(app), BR.el('p', { class: 'br-mute br-note', dir: 'auto', text: app.metric().label.note[app.state.lang] }), opacity(app), threshold(app)),
      topCells(app), timeWindow(app), incidentList(app), layers(app), BR.about(app));
  };
})(globalThis.BR = globalThis.BR || {});
