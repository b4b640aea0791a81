/* The tool bar, measuring, coordinates and the cross in the middle for readers who use the keyboard. */
(function (BR) {
  'use strict';

  /** Length of a line of Leaflet points, metres. */
  BR.lineLength = (points) => points.slice(1).reduce((sum, point, k) => sum + points[k].distanceTo(point), 0);

  BR.Measure = class {
    constructor(app) {
      this.app = app;
      this.line = L.polyline([], { color: '#d500f9', weight: 3, dashArray: '6 5', interactive: false });
      this.tip = L.tooltip({ permanent: true, direction: 'right', offset: [10, 0], className: 'br-measure' });
      this.active = false;
    }

    toggle(on) {
      this.active = on;
      this.points = [];
      this.line.setLatLngs([]).remove();
      this.tip.remove();
      this.app.map.getContainer().classList.toggle('br-measuring', on);
      this.app.say(on ? this.app.t('measureHint') : '');
      if (on) this.app.map.closePopup();
      this.app.toolButton('measure').setAttribute('aria-pressed', on);
    }

    add(point) {
      this.points.push(point);
      this.line.setLatLngs(this.points).addTo(this.app.map);
      const text = this.app.format.value(BR.lineLength(this.points) / 1000, 'km');
      this.tip.setLatLng(point).setContent(BR.bdi(text)).addTo(this.app.map);
      this.app.say(text);
    }
  };

  function copyLink(app) {
    app.writeHash();
    const done = () => app.say(app.t('copied'));
    const fallback = () => app.say(app.t('linkInAddress'));
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(done, fallback);
    else fallback();
  }

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => {});
  }

  BR.toolbar = function (app) {
    const { map } = app;
    const button = (name, icon, act, pressed) => BR.el('button', { type: 'button', class: 'br-icon', 'data-tool': name, title: app.t(name), 'aria-label': app.t(name), 'aria-pressed': pressed, on: { click: act } }, BR.icon(icon));
    const language = BR.el('button', { type: 'button', class: 'br-language', 'data-tool': 'language', lang: app.state.lang === 'fa' ? 'en' : 'fa', text: app.t('language'), on: { click: () => app.update({ lang: app.state.lang === 'fa' ? 'en' : 'fa' }) } });
    return BR.el('nav', { class: 'br-tools', dir: app.dir(), 'aria-label': app.t('tools') },
      BR.el('div', { class: 'br-card' }, button('panel', 'panel', () => app.togglePanel()), language, button('theme', 'theme', () => app.update({ theme: app.theme() === 'dark' ? 'light' : 'dark' }))),
      BR.el('div', { class: 'br-columns' },
        BR.el('div', { class: 'br-card br-column' }, button('full', 'full', fullScreen), button('print', 'print', () => window.print()), button('picture', 'picture', () => BR.savePicture(app)), button('link', 'link', () => copyLink(app))),
        BR.el('div', { class: 'br-card br-column' }, BR.addsUp(app) && button('sum', 'sum', () => app.sums.view(), String(app.sums.mode === 'view')), BR.addsUp(app) && button('draw', 'draw', () => { app.measure.toggle(false); app.sums.draw(!app.sums.active); }, 'false'), button('measure', 'ruler', () => { if (app.sums.active) app.sums.close(); app.measure.toggle(!app.measure.active); }, 'false')),
        BR.el('div', { class: 'br-card br-column' }, button('zoomIn', 'plus', () => map.zoomIn(1)), button('zoomOut', 'minus', () => map.zoomOut(1)), button('home', 'home', () => app.home()))));
  };

  /** Coordinates and value under the pointer. */
  BR.readout = function (app, point) {
    const i = app.cellAt(point);
    const { lat, lng } = point.wrap();
    const parts = [BR.bdi(BR.decimal(lat, lng), 'ltr'), ' · ', BR.bdi(BR.dms(lat, lng), 'ltr')];
    if (i >= 0) {
      const metric = app.metric();
      const value = metric.kind === 'codes' ? app.codeLabel(metric.name, app.cells.value(metric.name, i)) : app.format.value(app.cells.value(metric.name, i), metric.label.units);
      parts.push(' · ', BR.bdi(app.cells.id(i), 'ltr'), ' · ', BR.bdi(value));
    }
    app.coordinates.replaceChildren(...parts);
  };
})(globalThis.BR = globalThis.BR || {});
