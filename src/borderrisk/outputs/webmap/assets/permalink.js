/* The view in the address: written after each change, read when the page opens. */
(function (BR) {
  'use strict';
  const number = (text) => (text !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined);
  const date = (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : undefined);
  const word = (text) => (/^[\w-]{1,80}$/.test(text) ? text : undefined);
  const list = (text) => text.split(',').filter((item) => word(item));
  const FIELDS = { layer: word, opacity: number, min: number, cell: word, lang: word, theme: word, from: date, to: date, hide: list, show: list };

  /** State to the text after `#`; what is undefined or null is left out. */
  BR.writeHash = function (state) {
    const parts = [];
    if (state.view) parts.push(`view=${state.view.zoom}/${state.view.lat.toFixed(5)}/${state.view.lon.toFixed(5)}`);
    for (const name of Object.keys(FIELDS)) {
      const value = state[name];
      if (value === undefined || value === null || (Array.isArray(value) && !value.length)) continue;
      parts.push(`${name}=${Array.isArray(value) ? value.join(',') : value}`);
    }
    return `#${parts.join('&')}`;
  };

  /** Text after `#` to state; whatever does not fit its field is ignored. */
  BR.readHash = function (hash) {
    const state = {};
    for (const part of hash.replace(/^#/, '').split('&')) {
      const at = part.indexOf('=');
      const [name, text] = [part.slice(0, at), part.slice(at + 1)];
      if (name === 'view') {
        const [zoom, lat, lon] = text.split('/').map(number);
        if (zoom !== undefined && Math.abs(lat) <= 85 && Math.abs(lon) <= 180) state.view = { zoom, lat, lon };
      } else if (Object.hasOwn(FIELDS, name)) {
        const value = FIELDS[name](text);
        if (value !== undefined) state[name] = value;
      }
    }
    return state;
  };
})(globalThis.BR = globalThis.BR || {});
