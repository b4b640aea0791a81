/* What the numbers mean, how good they are, and whose data they stand on. */
(function (BR) {
  'use strict';

  /** Verdict on a gain and its interval: the key of its text. */
  BR.verdict = function ({ gain, low, high }) {
    if (high !== null && high !== undefined && high < 0) return 'worse';
    if (low !== null && low !== undefined) return low > 0 ? 'better' : 'unclear';
    return gain > 0 ? 'unclear' : 'worse';
  };

  function skill(app) {
    const card = app.config.scorecard;
    if (!card) return [BR.el('p', { text: app.t('skillNone') })];
    const number = (value) => app.format.number(value);
    const known = (value) => value !== null && value !== undefined;
    const baseline = () => BR.bdi(app.modelLabel(card.baseline || '–'));
    const bits = (value) => BR.bdi(app.format.signed(value), 'ltr');
    const lines = [];
    if (known(card.capture)) {
      lines.push(BR.el('p', { 'data-br': 'capture' }, BR.fillNodes(app.t('skillCapture'), {
        origins: known(card.origins) ? number(card.origins) : '–', incidents: known(card.incidents) ? number(card.incidents) : '–',
        model: BR.el('strong', { text: app.format.percent(card.capture, 2) }), baseline: baseline(), base: BR.el('strong', { text: app.format.percent(card.baseline_capture, 2) }) })));
    }
    if (known(card.gain)) {
      const whole = known(card.low) && known(card.high);
      lines.push(BR.el('p', { 'data-br': 'gain' }, BR.fillNodes(app.t(whole ? 'skillGain' : 'skillGainPlain'), {
        baseline: baseline(), gain: bits(card.gain), low: whole ? bits(card.low) : '', high: whole ? bits(card.high) : '', verdict: BR.el('strong', { text: app.t(BR.verdict(card)) }) })));
    }
    return lines.length ? lines : [BR.el('p', { text: app.t('skillNone') })];
  }

  function meanings(app) {
    const scores = app.config.metrics.filter((metric) => metric.group === 'scores');
    return BR.el('dl', {}, scores.flatMap((metric) => [BR.el('dt', { text: metric.label[app.state.lang] }), BR.el('dd', { text: metric.label.note[app.state.lang] })]));
  }

  function vintage(app) {
    const { run, compared, origin, until, horizonDays, dataUntil } = app.config.facts;
    const lines = [compared ? ['compared', compared] : ['run', run], ['origin', origin], ['until', until], ['horizon', horizonDays ? app.t('days', { n: app.format.whole(horizonDays) }) : ''], ['dataUntil', dataUntil]];
    return BR.el('dl', { class: 'br-pairs' }, lines.filter(([, value]) => value).flatMap(([key, value]) => [BR.el('dt', { text: app.t(key) }), BR.el('dd', {}, BR.bdi(value))]));
  }

  function source(app, item) {
    const small = [item.version && `${app.t('version')} ${item.version}`, item.licence && `${app.t('licence')}: ${item.licence}`].filter(Boolean).join(' · ');
    return BR.el('li', {}, BR.el('strong', {}, BR.bdi(item.title)), small ? BR.el('div', { class: 'br-mute', dir: 'auto', text: small }) : null, item.attribution ? BR.el('div', { class: 'br-mute', dir: 'auto', text: item.attribution }) : null);
  }

  BR.about = function (app) {
    const { record } = app.config.facts;
    const kept = record ? BR.el('p', {}, BR.el('a', { href: record, text: app.t('trackRecord') })) : null;
    const dropped = app.config.dropped.length ? BR.el('p', { class: 'br-mute', text: app.t('dropped', { names: app.config.dropped.join(', ') }) }) : null;
    return [
      BR.el('section', { class: 'br-skill' }, BR.el('h2', { text: app.t('skill') }), skill(app), kept, BR.noInterval(app.config) && 'probability' in app.config.columns ? BR.el('p', { text: app.t('noInterval') }) : null),
      BR.el('details', {}, BR.el('summary', { text: app.t('about') }), meanings(app)),
      BR.el('details', {}, BR.el('summary', { text: app.t('data') }), vintage(app), BR.el('ul', { class: 'br-sources' }, app.config.facts.sources.map((item) => source(app, item))), dropped),
    ];
  };
})(globalThis.BR = globalThis.BR || {});
