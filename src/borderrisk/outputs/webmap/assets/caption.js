/* What the map is of: forecast period, age of the data, run, skill and credits; on the screen, on paper and in every picture. */
(function (BR) {
  'use strict';
  const known = (value) => value !== null && value !== undefined;

  /** How good the model is, in one line. */
  BR.skillLine = function (app) {
    const card = app.config.scorecard;
    if (!card || !known(card.capture)) return app.t('skillNone');
    const { format } = app;
    const values = { model: format.percent(card.capture, 2), baseline: app.modelLabel(card.baseline || '–'), base: format.percent(card.baseline_capture, 2), gain: format.signed(card.gain || 0), low: format.signed(card.low || 0), high: format.signed(card.high || 0) };
    if (!known(card.gain)) return app.t('captionCapture', values);
    return app.t(known(card.low) && known(card.high) ? 'captionSkill' : 'captionGain', { ...values, verdict: app.t(BR.verdict(card)) });
  };

  /** The caption as plain lines: `facts` (period, data, run), `skill`, `credit`. */
  BR.captionLines = function (app) {
    const { origin, until, dataUntil, run, compared, credits } = app.config.facts;
    const day = (iso) => app.format.date(iso).replace(/\d{4}-\d\d-\d\d/, '\u2066$&\u2069');
    const facts = [
      origin && (until ? app.t('captionPeriod', { from: day(origin), to: day(until) }) : app.t('captionFrom', { from: day(origin) })),
      dataUntil && app.t('captionData', { day: day(dataUntil) }),
      compared ? app.t('captionCompared', { runs: compared }) : run && app.t('captionRun', { run }),
    ];
    return { facts: facts.filter(Boolean), skill: BR.skillLine(app), credit: credits.length ? app.t('captionCredit', { names: credits.join(' · ') }) : '' };
  };

  BR.caption = function (app) {
    const { facts, skill, credit } = BR.captionLines(app);
    return BR.el('footer', { class: 'br-caption', dir: app.dir(), lang: app.state.lang, 'aria-label': app.t('caption') },
      BR.el('p', { 'data-br': 'caption-facts' }, facts.flatMap((fact, k) => [k ? ' · ' : null, BR.el(k ? 'span' : 'strong', { dir: 'auto', text: fact })])),
      BR.el('p', { 'data-br': 'caption-skill', dir: 'auto', text: skill }),
      credit ? BR.el('p', { 'data-br': 'caption-credit', class: 'br-credit', dir: 'auto', title: credit, text: credit }) : null);
  };
})(globalThis.BR = globalThis.BR || {});
