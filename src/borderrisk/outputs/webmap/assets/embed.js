/* The risk layer as one layer among others of a Leaflet map: cells, legend, popups; nothing of the page around them. */
(function (BR) {
  'use strict';

  const Embedded = L.GridLayer && BR.RiskLayer.extend({
    onAdd(map) {
      BR.RiskLayer.prototype.onAdd.call(this, map);
      this.app.attach(map);
    },

    onRemove(map) {
      this.app.detach(map);
      BR.RiskLayer.prototype.onRemove.call(this, map);
    },
  });

  BR.Embedded = class extends BR.App {
    /** What the page's map sets up, but for the page. */
    setLanguage() { this.format = new BR.Format(this.state.lang, this.config.names.units); }
    theme() { return 'light'; }
    writeHash() {}
    say() {}
    _fromAddress() { return {}; }

    attach(map) {
      this.map = map;
      this.selection = L.polygon([], { fill: false, interactive: false, weight: 3, color: '#00b8d4' }).addTo(map);
      this.popup = L.popup({ maxWidth: 320, minWidth: 220 });
      this.click = (event) => this.select(this.cellAt(event.latlng), { at: event.latlng });
      if (this.options.popups) map.on('click', this.click);
      if (!this.options.legend) return;
      this.control = L.control({ position: 'bottomright' });
      this.control.onAdd = () => {
        const node = BR.legend(this);
        node.classList.add('br-embed');
        node.style.setProperty('--cell-opacity', this.options.opacity);
        L.DomEvent.disableClickPropagation(node);
        L.DomEvent.disableScrollPropagation(node);
        return node;
      };
      this.control.addTo(map);
    }

    detach(map) {
      map.off('click', this.click);
      for (const part of [this.selection, this.popup, this.control]) if (part) part.remove();
    }
  };

  /** A Leaflet layer of packed cells. `options`: `layer`, `opacity`, `legend`, `popups`. */
  BR.embed = function (config, blobs, options) {
    const app = new BR.Embedded(null, {}, config, (name) => blobs[name]);
    app.options = options;
    Object.assign(app.state, { layer: options.layer, opacity: 100 * options.opacity, hide: ['incidents'] });
    app.incidents = [];
    app.mini = { paint() {} };
    app.riskLayer = new Embedded({ opacity: options.opacity, attribution: options.attribution, pane: 'tilePane', zIndex: 5 });
    app.riskLayer.app = app;
    app.paint();
    return app.riskLayer;
  };
})(globalThis.BR = globalThis.BR || {});
