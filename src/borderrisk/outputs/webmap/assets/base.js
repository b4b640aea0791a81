/* Elements and small helpers. Text from data only ever becomes text nodes, never markup. */
(function (BR) {
  'use strict';

  /** Create an element. `attrs`: `text`, `on` (listeners), anything else is an attribute; false and null are left out. */
  BR.el = function (tag, attrs, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attrs || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === 'text') node.textContent = value;
      else if (name === 'on') for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
      else if (name === 'value') node.value = value;
      else node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  };

  /** Text of unknown direction (names, summaries), kept from disturbing what stands beside it. */
  BR.bdi = (text, dir) => BR.el('bdi', { dir: dir || 'auto', text: String(text) });

  const ICONS = {
    plus: 'M12 5v14M5 12h14', minus: 'M5 12h14', home: 'M4 11l8-7 8 7M6 10v10h12V10',
    ruler: 'M3 15L15 3l6 6L9 21zM7 13l2 2M10 10l2 2M13 7l2 2',
    full: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5', print: 'M7 8V3h10v5M7 17H4V9h16v8h-3M7 14h10v7H7z',
    link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
    sum: 'M18 5H6l6 7-6 7h12', draw: 'M5 8l7-4 8 6-3 9-11-1z', picture: 'M3 7h4l2-3h6l2 3h4v12H3zM12 9a4 4 0 1 0 0 8 4 4 0 0 0 0-8',
    theme: 'M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z', panel: 'M4 6h16M4 12h16M4 18h16', search: 'M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l5 5',
  };

  /** A line icon; decoration only, the button that holds it carries the name. */
  BR.icon = function (name) {
    const space = 'http://www.w3.org/2000/svg';
    const svg = document.createElementNS(space, 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS(space, 'path');
    path.setAttribute('d', ICONS[name]);
    svg.append(path);
    return svg;
  };

  /** Fill `{name}` places of a text. */
  BR.fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

  /** Fill `{name}` places with elements; returns a list of nodes. */
  BR.fillNodes = (text, values) => text.split(/(\{\w+\})/).map((part) => {
    const name = part.slice(1, -1);
    return part.startsWith('{') && name in values ? values[name] : part;
  });

  BR.clamp = (value, low, high) => Math.min(high, Math.max(low, value));
})(globalThis.BR = globalThis.BR || {});
