/* The view as a PNG: what is on the map with legend, scale and names, and below it heading and caption. */
(function (BR) {
  'use strict';
  const PAD = 14;

  const box = (node, origin) => {
    const { left, top, width, height } = node.getBoundingClientRect();
    return { x: left - origin.left, y: top - origin.top, w: width, h: height };
  };
  const seen = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility !== 'hidden';

  /** Pictures and canvases under a node, in the order in which they lie over one another. */
  function raster(context, origin, selector, filter) {
    for (const node of document.querySelectorAll(selector)) {
      const { x, y, w, h } = box(node, origin);
      if (!w || !h || (node.src && !node.src.startsWith('data:'))) continue;
      context.save();
      context.filter = filter || 'none';
      context.globalAlpha = Number(getComputedStyle(node.closest('.leaflet-layer') || node).opacity);
      context.imageSmoothingEnabled = !node.classList.contains('br-tile');
      context.drawImage(node, x, y, w, h);
      context.restore();
    }
  }

  /** Backgrounds and borders of the nodes of a card, then its words where the browser has put them. */
  function card(context, origin, root, halo) {
    for (const node of [root, ...root.querySelectorAll('*')]) {
      if (!seen(node) || node.tagName === 'CANVAS') continue;
      const look = getComputedStyle(node);
      const { x, y, w, h } = box(node, origin);
      const swatch = node.matches('.br-swatch, .br-dot, .br-line') ? look.getPropertyValue('--swatch') : '';
      const fill = swatch || look.backgroundColor;
      context.beginPath();
      if (node.matches('.br-dot')) context.arc(x + w / 2, y + h / 2, w / 2 - 1, 0, 7);
      else context.rect(x, y, w, h);
      if (node.matches('.br-ring')) { context.lineWidth = 2.4; context.strokeStyle = fill; context.stroke(); } else if (fill && !/, 0\)$|transparent/.test(fill)) { context.fillStyle = fill; context.fill(); }
    }
    for (const node of root.querySelectorAll('.leaflet-control-scale-line')) {
      const { x, y, w, h } = box(node, origin);
      Object.assign(context, { strokeStyle: getComputedStyle(node).borderBottomColor, lineWidth: 2 });
      context.stroke(new Path2D(`M${x + 1} ${y}V${y + h - 1}H${x + w - 1}V${y}`));
    }
    for (const node of root.querySelectorAll('canvas')) { const { x, y, w, h } = box(node, origin); if (w) context.drawImage(node, x, y, w, h); }
    words(context, origin, root, halo);
  }

  function words(context, origin, root, halo) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const parent = node.parentElement;
      if (!seen(parent)) continue;
      const look = getComputedStyle(parent);
      context.font = `${look.fontWeight} ${look.fontSize} ${look.fontFamily}`;
      context.letterSpacing = look.letterSpacing === 'normal' ? '0px' : look.letterSpacing;
      context.direction = look.direction;
      context.textAlign = 'left';
      context.textBaseline = 'middle';
      for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        const { left, top, height } = range.getBoundingClientRect();
        if (!height) continue;
        const at = [word, left - origin.left, top - origin.top + height / 2];
        if (halo) { context.strokeStyle = halo; context.lineWidth = 3; context.lineJoin = 'round'; context.strokeText(...at); }
        context.fillStyle = look.color;
        context.fillText(...at);
      }
    }
  }

  function dot(context, { x, y }) {
    context.beginPath();
    context.arc(x, y, 3, 0, 7);
    Object.assign(context, { fillStyle: '#ffffff', strokeStyle: '#14181c', lineWidth: 1.5 });
    context.fill();
    context.stroke();
  }

  /** Text in lines that fit a width. */
  BR.wrapped = function (context, text, width) {
    const lines = [];
    let line = '';
    for (const word of text.split(/\s+/)) {
      const longer = line ? `${line} ${word}` : word;
      if (line && context.measureText(longer).width > width) { lines.push(line); line = word; } else line = longer;
    }
    return line ? [...lines, line] : lines;
  };

  /** Heading and caption in lines, laid out for a width: `{font, text, y}` and the height they take. */
  function foot(app, context, width) {
    const family = getComputedStyle(document.body).fontFamily;
    const { facts, skill, credit } = BR.captionLines(app);
    const metric = app.metric();
    const parts = [[16, 700, `${app.config.title[app.state.lang] || app.config.title.en}: ${metric.label[app.state.lang]}`], [12, 600, facts.join(' · ')], [12, 400, skill], [11, 400, app.statement()], [11, 400, credit]];
    let y = PAD;
    const lines = parts.filter(([, , text]) => text).flatMap(([size, weight, text]) => {
      context.font = `${weight} ${size}px ${family}`;
      return BR.wrapped(context, text, width - 2 * PAD).map((line) => { y += size * 1.45; return { font: context.font, text: line, y }; });
    });
    return { lines, height: y + PAD };
  }

  /** Draw the view; resolves to a canvas. */
  BR.picture = function (app, scale = Math.max(2, devicePixelRatio || 1)) {
    const container = app.map.getContainer();
    const origin = container.getBoundingClientRect();
    const canvas = BR.el('canvas');
    const context = canvas.getContext('2d');
    const below = foot(app, context, origin.width);
    Object.assign(canvas, { width: Math.round(origin.width * scale), height: Math.round((origin.height + below.height) * scale) });
    context.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    context.fillStyle = colour('--ground');
    context.fillRect(0, 0, origin.width, origin.height);
    context.save();
    context.beginPath();
    context.rect(0, 0, origin.width, origin.height);
    context.clip();
    app.map.getRenderer(app.selection)._redraw();
    raster(context, origin, '.leaflet-tile-pane img', app.theme() === 'dark' ? 'brightness(.42)' : '');
    raster(context, origin, '.leaflet-risk-pane canvas');
    raster(context, origin, '.leaflet-overlay-pane canvas');
    const halo = app.theme() === 'dark' ? '#000000' : '#ffffff';
    for (const node of document.querySelectorAll('.br-country, .br-place, .br-count')) { if (node.matches('.br-place')) dot(context, box(node, origin)); words(context, origin, node, halo); }
    for (const node of document.querySelectorAll('.leaflet-control-scale, .br-legend')) card(context, origin, node);
    context.restore();
    context.fillStyle = colour('--paper');
    context.fillRect(0, origin.height, origin.width, below.height);
    context.fillStyle = colour('--ink');
    context.textBaseline = 'alphabetic';
    context.direction = app.dir();
    context.letterSpacing = '0px';
    context.textAlign = app.dir() === 'rtl' ? 'right' : 'left';
    for (const { font, text, y } of below.lines) {
      context.font = font;
      context.fillText(text, app.dir() === 'rtl' ? origin.width - PAD : PAD, origin.height + y - 3);
    }
    return canvas;
  };

  BR.savePicture = function (app) {
    BR.picture(app).toBlob((blob) => BR.save(BR.fileName(app, `map-${app.state.layer}`, 'png'), 'image/png', blob), 'image/png');
    app.say(app.t('saved'));
  };
})(globalThis.BR = globalThis.BR || {});
