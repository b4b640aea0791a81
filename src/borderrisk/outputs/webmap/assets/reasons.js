/* The sentences about a cell, filled with its facts by the rules of reasons.py: the same words as in every other output. */
(function (BR) {
  'use strict';
  const ZERO = 100;
  const LOWERS = 200;
  const LEAST = 5;
  const PARTS = ['history', 'recent', 'ground', 'even'];
  const PERSIAN = '۰۱۲۳۴۵۶۷۸۹';
  const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

  /** Nearest whole number, halves to the even one. */
  BR.even = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

  /** A number as sentences write it: two figures below 10, else whole. */
  BR.numeral = function (value, language) {
    let text;
    if (Math.abs(value) >= 9.95) text = String(BR.even(value)).replace(/\B(?=(\d{3})+$)/g, ',');
    else if (value === 0) text = '0';
    else {
      const size = Math.floor(Math.log10(Math.abs(Number(value.toExponential(1)))));
      text = value.toFixed(Math.min(9, Math.max(0, 1 - size)));
      if (text.includes('.')) text = text.replace(/0+$/, '').replace(/\.$/, '');
    }
    text = text.replace('-', '\u2212');
    return language === 'fa' ? text.replace(/\d/g, (digit) => PERSIAN[digit]).replace(/,/g, '٬').replace('.', '٫') : text;
  };

  const FACTS = [...PARTS.map((part) => `share_${part}`), ...[1, 2, 3].flatMap((k) => [`because_${k}`, `named_${k}`]), 'further', 'far_than'];

  /** Columns the sentences read. */
  BR.factColumns = (config) => FACTS.filter((name) => name in config.columns);

  /** Features that the reasons of a cell name. */
  const named = (app, i) => [1, 2, 3].filter((k) => known(app.cells.value(`because_${k}`, i))).map((k) => app.config.drivers[app.cells.value(`driver_${k}`, i)].name);

  /** Whether the map carries what a cell's sentences are made of; one of many cells has not room for every feature. */
  BR.hasFacts = function (app, i) {
    const { columns, dropped } = app.config;
    return 'probability' in columns && !FACTS.some((name) => dropped.includes(name)) && named(app, i).every((name) => name in columns);
  };

  const amount = (app, name, i) => ({ value: app.cells.value(name, i), low: app.cells.value(`${name}_low`, i), high: app.cells.value(`${name}_high`, i) });

  function incidentsOf(app, i) {
    const [row, col] = app.cells.rowCol(i);
    return [1, 2, 3].map((k) => app.cells.value(`named_${k}`, i)).filter(known).map((at) => {
      const incident = app.config.incidents.find((item) => item.row === at);
      return { incident, km: Math.hypot(incident.gx - col - 0.5, incident.gy - row - 0.5) * app.config.grid.cellKm };
    });
  }

  function becauseOf(app, i) {
    return [1, 2, 3].flatMap((k) => {
      const code = app.cells.value(`because_${k}`, i);
      if (!known(code)) return [];
      const { name } = app.config.drivers[app.cells.value(`driver_${k}`, i)];
      const lowers = code >= LOWERS;
      return [{ name, lowers, value: app.cells.value(name, i), than: code - ZERO - (lowers ? LOWERS : 0) }];
    });
  }

  function farOf(app, i) {
    const than = app.cells.value('far_than', i);
    if (!known(than) || !app.config.incidents.length) return null;
    const [row, col] = app.cells.rowCol(i);
    const km = app.config.incidents.reduce((least, { gx, gy }) => Math.min(least, Math.hypot(gx - col - 0.5, gy - row - 0.5)), Infinity) * app.config.grid.cellKm;
    return { km, than };
  }

  /** What is known of a cell; its columns are loaded. */
  BR.factsOf = function (app, i) {
    const { cells, config } = app;
    const legend = config.metrics.find((metric) => metric.name === 'risk');
    const shares = PARTS.map((part) => cells.value(`share_${part}`, i));
    const reasons = becauseOf(app, i);
    const trust = cells.value('trust', i);
    return {
      chance: amount(app, 'probability', i), rank: amount(app, 'rank', i), of: config.grid.scored,
      riskClass: legend ? BR.classOf(cells.loaded.risk[i], legend.edges) : 0,
      shares: shares.every(known) ? shares.map((share) => Math.round(100 * share)) : null,
      incidents: incidentsOf(app, i), further: cells.value('further', i),
      raising: reasons.filter((reason) => !reason.lowers), lowering: reasons.filter((reason) => reason.lowers),
      far: farOf(app, i), trust: known(trust) ? config.codes.trust[trust] : '',
    };
  };

  /* --- words; `its`: language, phrases, features, period, no_interval --- */
  const fill = BR.fill;

  BR.odds = function (chance, its, often) {
    const say = its.phrases;
    if (!(chance > 1e-6)) return say.tiny;
    if (often) return fill(say.in_100, { n: BR.numeral(BR.clamp(BR.even(100 * chance), 1, 99), its.language) });
    return fill(say.one_in, { n: BR.numeral(Number((1 / chance).toPrecision(2)), its.language) });
  };

  function interval({ low, high }, its, write) {
    return known(low) && known(high) ? fill(its.phrases.interval, { low: write(low), high: write(high) }) : its.no_interval;
  }

  function valueText(value, unit, app, its) {
    const n = (x) => BR.numeral(x, its.language);
    if (unit === 'percent') return fill(its.phrases.percent, { n: n(100 * value) });
    const name = unit in app.config.names.units ? app.config.names.units[unit][its.language] : unit;
    return name === '°' ? `${n(value)}°` : `${n(value)} ${name}`.trimEnd();
  }

  function features(app, its, reasons) {
    const say = its.phrases;
    return reasons.map(({ name: key, value, than }) => {
      const words = its.features[key];
      const text = valueText(value, words.unit, app, its);
      const p = BR.numeral(Math.abs(than), its.language);
      const more = words[than > 0 ? 'more' : 'less'];
      if (!than) return `${words.name} ${text}`;
      if (more) return fill(say.than, { more, value: text, p });
      return fill(say[than > 0 ? 'more_than' : 'less_than'], { name: words.name, value: text, p });
    });
  }

  function earlier(app, its, facts) {
    const say = its.phrases;
    const n = (x) => BR.numeral(x, its.language);
    const found = facts.incidents.map(({ incident, km }) => fill(say.incident, {
      kind: app.kind(incident.kind).label[its.language], place: incident.place ? fill(say.incident_place, { place: incident.place }) : '',
      date: incident.when[its.language], away: fill(say.away, { km: n(km) }), radius: n(incident.radius) }));
    return facts.further ? [...found, fill(say.more, { n: n(facts.further) })] : found;
  }

  BR.whyText = function (app, its, facts) {
    const say = its.phrases;
    const n = (x) => BR.numeral(x, its.language);
    const found = [];
    if (facts.shares) {
      const [history, recent, ground, even] = facts.shares;
      if (history + recent >= LEAST) {
        const key = facts.incidents.length ? 'earlier' : known(facts.further) ? 'earlier_many' : 'earlier_plain';
        found.push(fill(say[key], { share: n(history + recent), list: earlier(app, its, facts).join(say.list) }));
      }
      if (ground >= LEAST) {
        const list = features(app, its, facts.raising).join(say.list);
        found.push(fill(say[!list ? 'ground_plain' : facts.riskClass ? 'ground' : 'ground_group'], { share: n(ground), list }));
      }
      if (even >= LEAST) found.push(fill(say.even, { share: n(even) }));
    }
    const low = facts.riskClass > 0 && facts.riskClass <= 2;
    const lowers = features(app, its, facts.lowering);
    if (low && facts.far) lowers.unshift(fill(say.far, { km: n(facts.far.km), p: n(facts.far.than) }));
    if (lowers.length) found.push(fill(say[low ? 'low' : facts.riskClass ? 'lowered' : 'lowered_group'], { list: lowers.join(say.list) }));
    return found.join(' ');
  };

  /** The sentences about a cell in the reader's language, or another: `head`, `chance`, `rank`, `why`, `rely`. */
  BR.answer = function (app, i, language = app.state.lang) {
    const its = app.config.words[language];
    const say = its.phrases;
    const facts = BR.factsOf(app, i);
    const n = (x) => BR.numeral(x, language);
    const often = facts.chance.value >= 0.5;
    const place = BR.whereText(app, i, language);
    const { rank } = facts;
    return {
      head: facts.riskClass ? fill(say.head, { place, k: n(facts.riskClass), class: say[`class_${facts.riskClass}`] }) : place,
      chance: fill(say.chance, { chance: BR.odds(facts.chance.value, its, often), period: its.period, interval: interval(facts.chance, its, (p) => BR.odds(p, its, often)) }).split(/\s+/).join(' ').trim(),
      rank: known(rank.value) ? fill(say.rank, { n: n(rank.value), all: n(facts.of), interval: known(rank.low) ? interval(rank, its, (k) => n(Math.round(k))) : '' }) : '',
      why: BR.whyText(app, its, facts),
      rely: facts.trust ? say[`rely_${facts.trust}`] : '',
    };
  };

  /** Where a cell is, like "12 km NE of Khash"; '' on a map without places. */
  BR.whereText = function (app, i, language = app.state.lang) {
    const [row, col] = app.cells.rowCol(i);
    const its = app.config.words[language];
    let near = null;
    let least = Infinity;
    for (const place of app.config.places) {
      const d = (place.gx - col - 0.5) ** 2 + (place.gy - row - 0.5) ** 2;
      if (d < least) { least = d; near = place; }
    }
    if (!near) return '';
    const town = (language === 'fa' && near.fa) || near.n;
    const km = Math.sqrt(least) * app.config.grid.cellKm;
    if (km < 1) return town;
    const octant = BR.even(Math.atan2(col + 0.5 - near.gx, near.gy - row - 0.5) / (Math.PI / 4));
    return fill(its.phrases.near, { km: BR.numeral(BR.even(km), language), direction: its.points[(octant + 8) % 8], town });
  };
})(globalThis.BR = globalThis.BR || {});
