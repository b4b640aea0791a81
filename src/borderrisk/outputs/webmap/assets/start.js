/* Putting the map on the page and listening to it. */
(function (BR) {
  'use strict';

  Object.assign(BR.App.prototype, {
    buildInterface() {
      const focused = document.activeElement && (document.activeElement.dataset.tool ? `[data-tool="${document.activeElement.dataset.tool}"]` : document.activeElement.id && `#${document.activeElement.id}`);
      const scroll = this.panelNode ? this.panelNode.scrollTop : 0;
      const next = { panelNode: BR.panel(this), toolsNode: BR.toolbar(this), captionNode: BR.caption(this) };
      for (const [name, node] of Object.entries(next)) {
        if (this[name]) this[name].replaceWith(node);
        else document.body.append(node);
        this[name] = node;
      }
      this.panelNode.scrollTop = scroll;
      this.makeRoom();
      this.buildLegend();
      Object.entries({ 'aria-label': this.t('map'), role: 'application' }).forEach(([name, value]) => this.map.getContainer().setAttribute(name, value));
      if (this.sums) this.sums.again();
      if (focused && document.querySelector(focused)) document.querySelector(focused).focus();
    },

    /** The map ends where the caption begins. */
    makeRoom() {
      document.documentElement.style.setProperty('--caption', `${this.captionNode.offsetHeight}px`);
      this.map.invalidateSize({ animate: false });
    },

    buildLegend() {
      const node = BR.legend(this);
      const { kind } = document.activeElement ? document.activeElement.dataset : {};
      node.style.setProperty('--cell-opacity', this.state.opacity / 100);
      if (this.legendNode) this.legendNode.replaceWith(node);
      else document.body.append(node);
      this.legendNode = node;
      const again = [...node.querySelectorAll('[data-kind]')].find((box) => box.dataset.kind === kind);
      if (again) again.focus();
      // Every popup keeps clear of the legend; on a narrow map it covers it instead.
      const margins = this.map.getSize().x > 700 ? this.clear('autoPanPadding') : { autoPanPaddingTopLeft: [12, 12], autoPanPaddingBottomRight: [12, 12] };
      Object.assign(L.Popup.prototype.options, margins);
    },

    buildCorner() {
      this.mini = new BR.MiniMap(this);
      this.coordinates = BR.el('div', { class: 'br-coordinates', dir: 'ltr' });
      this.status = BR.el('div', { class: 'br-status', role: 'status' });
      this.scale = L.control.scale({ imperial: false, maxWidth: 120 }).addTo(this.map);
      document.body.append(BR.el('div', { class: 'br-corner', dir: 'ltr' }, this.mini.canvas, this.scale.getContainer(), this.coordinates), this.status);
    },

    listen() {
      const { map } = this;
      map.on('click', (event) => {
        if (this.measure.active) this.measure.add(event.latlng);
        else if (this.sums.active) this.sums.add(event.latlng);
        else this.select(this.cellAt(event.latlng), { at: event.latlng });
      });
      const popup = (open) => document.documentElement.classList.toggle('br-popup', open);
      map.on('popupopen', (event) => { popup(true); this.focusPopup(event.popup); }).on('popupclose', () => { popup(false); this.leavePopup(); });
      map.on('mousemove', (event) => BR.readout(this, event.latlng));
      map.on('moveend', () => { BR.showPlaces(this); this.mini.draw(); this.writeHash(); this.sums.follow(); if (this.fillIncidents) this.fillIncidents(); });
      addEventListener('resize', () => this.makeRoom());
      map.on('popupclose', (event) => { if (event.popup === this.popup) { this.selection.setLatLngs([]); this.state.cell = null; this.writeHash(); } });
      map.getContainer().addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && event.target === map.getContainer() && !this.sums.active) this.select(this.cellAt(map.getCenter()));
      });
      document.addEventListener('keydown', (event) => {
        if (event.key === 'Escape' && document.activeElement.closest('.leaflet-popup')) map.closePopup();
        if (event.key === 'Escape' && this.measure.active) this.measure.toggle(false);
        if (event.key === 'Escape' && this.sums.active) this.sums.close();
        if (event.key === 'Enter' && this.sums.active && event.target === map.getContainer()) this.sums.finish();
      });
      matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { if (!this.state.theme) this.update({ theme: null }); });
      addEventListener('hashchange', () => location.reload());
      this.printing();
    },

    /** What is opened by the keyboard takes the focus, and gives it back. */
    focusPopup(popup) {
      const close = popup.getElement().querySelector('.leaflet-popup-close-button');
      if (close) close.setAttribute('aria-label', this.t('close'));
      const from = document.activeElement;
      if (!from || from === document.body || !from.matches(':focus-visible')) return;
      if (!from.closest('.leaflet-popup')) this.opener = from;
      const words = popup.getElement().querySelector('.br-pop');
      if (words) words.focus({ preventScroll: true });
    },

    leavePopup() {
      const { opener } = this;
      this.opener = null;
      if (opener && opener.isConnected && (document.activeElement === document.body || document.activeElement.closest('.leaflet-popup'))) opener.focus({ preventScroll: true });
    },

    printing() {
      const paper = new BR.Paper(this);
      addEventListener('beforeprint', () => paper.lay());
      addEventListener('afterprint', () => paper.clear());
    },

    async open() {
      const { map } = this;
      map.attributionControl.setPrefix(false);
      map.getContainer().setAttribute('dir', 'ltr');
      for (const [pane, z] of [['risk', 250], ['places', 450]]) map.createPane(pane).style.zIndex = z;
      map.getPane('places').style.pointerEvents = 'none';
      document.documentElement.classList.toggle('br-no-panel', innerWidth < 900);
      this.kindsOpen = innerWidth >= 700;
      this.captionNode = BR.caption(this);
      document.body.append(this.captionNode);
      this.makeRoom();
      this.home();
      if (this.state.view) map.setView([this.state.view.lat, this.state.view.lon], this.state.view.zoom, { animate: false });
      this.riskLayer = new BR.RiskLayer({ opacity: this.state.opacity / 100 }).addTo(map);
      this.popup = L.popup({ maxWidth: Math.min(340, innerWidth - 60), minWidth: 240 });
      this.buildCorner();
      this.measure = new BR.Measure(this);
      this.sums = new BR.Sums(this);
      this.applyTheme();
      await Promise.all([this.paint(), ...['probability'].filter((name) => name in this.config.columns).map((name) => this.cells.load(name))]);
      this.buildInterface();
      if (innerWidth < 700 && !this.state.view) this.home();
      this.showAll();
      this.listen();
      this.started = true;
    },
  });

  /** Start the map. `extra`: Leaflet layers of the relief and of the online base map, or null. */
  BR.start = async function (map, extra) {
    try {
      if (typeof DecompressionStream === 'undefined') throw new Error(JSON.parse(document.getElementById('br-config').textContent).strings.en.oldBrowser);
      const app = new BR.App(map, extra);
      BR.app = app;
      await app.open();
      document.documentElement.dataset.ready = Math.round(performance.now());
      if (app.state.cell) await app.select(app.cells.find(app.state.cell));
      for (const name of [...BR.popupColumns(app.config), ...BR.driverColumns(app.config)]) await app.cells.load(name);
      const told = document.getElementById('br-col-sections');
      if (told) app.sections = JSON.parse(new TextDecoder().decode(await BR.inflate(told.textContent)));
      document.documentElement.dataset.warm = '';
    } catch (error) {
      document.body.append(BR.el('p', { role: 'alert', class: 'br-failed br-card', text: `The map data could not be read: ${error.message}` }));
      throw error;
    }
  };
})(globalThis.BR = globalThis.BR || {});
