/* The scored cells: where each lies in the grid window, and its columns, unpacked when first asked for. */
(function (BR) {
  'use strict';

  BR.Cells = class {
    /** `grid`, `columns`: as in the page's config; `text(name)`: packed text of a column. */
    constructor(grid, columns, text) {
      Object.assign(this, { grid, columns, text, loading: {}, loaded: {} });
      this._index();
      this._neighbours();
    }

    _index() {
      const { rows, cols, runs } = this.grid;
      this.index = new Int32Array(rows * cols).fill(-1);
      this.count = 0;
      for (let r = 2; r < runs.length; r += 3) this.count += runs[r];
      this.position = new Int32Array(this.count);
      let i = 0;
      for (let r = 0; r < runs.length; r += 3) {
        for (let k = 0; k < runs[r + 2]; k++, i++) {
          const at = runs[r] * cols + runs[r + 1] + k;
          this.index[at] = i;
          this.position[i] = at;
        }
      }
    }

    _neighbours() {
      const { cols } = this.grid;
      this.north = new Int32Array(this.count);
      this.corner = new Int32Array(this.count);
      for (let i = 0; i < this.count; i++) {
        const up = this.position[i] - cols;
        const above = up < 0 ? -1 : this.index[up];
        this.north[i] = above < 0 ? i - 1 : above;
        const diagonal = up < 0 || up % cols === 0 ? -1 : this.index[up - 1];
        this.corner[i] = diagonal < 0 ? this.north[i] : diagonal;
      }
    }

    has(name) { return name in this.columns; }

    /** Unpack a column (once); resolves to its codes, or null when the map does not carry it. */
    load(name) {
      if (!this.has(name)) return Promise.resolve(null);
      this.loading[name] = this.loading[name] || this._unpack(name);
      return this.loading[name];
    }

    async _unpack(name) {
      const { wide, follows } = this.columns[name];
      const codes = BR.unpredict(await BR.inflate(this.text(name)), wide, this.north, this.corner);
      if (follows) {
        const table = BR.unpredictLine(await BR.inflate(this.text(`${name}.table`)), wide);
        BR.follow(codes, await this.load(follows), table, wide);
      }
      this.loaded[name] = codes;
      return codes;
    }

    /** Significant digits a column is good for. */
    digits(name) { return this.has(name) && this.columns[name].n <= 1024 ? 2 : 3; }

    /** Value of a loaded column at a cell; null when missing or not loaded. */
    value(name, i) {
      const codes = this.loaded[name];
      return codes ? BR.decode(this.columns[name], codes[i]) : null;
    }

    /** Position of the cell that holds a point of the window (columns, rows), -1 when none. */
    at(col, row) {
      const { rows, cols } = this.grid;
      const c = Math.floor(col);
      const r = Math.floor(row);
      return c < 0 || r < 0 || c >= cols || r >= rows ? -1 : this.index[r * cols + c];
    }

    rowCol(i) {
      const { cols } = this.grid;
      return [Math.floor(this.position[i] / cols), this.position[i] % cols];
    }

    id(i) {
      const { row0, col0, digits } = this.grid;
      const [row, col] = this.rowCol(i);
      return `r${String(row + row0).padStart(digits, '0')}c${String(col + col0).padStart(digits, '0')}`;
    }

    /** Position of a cell id, -1 when it is no scored cell here. */
    find(id) {
      const match = /^\s*r\s*(\d+)\s*c\s*(\d+)\s*$/i.exec(id);
      if (!match) return -1;
      return this.at(match[2] - this.grid.col0, match[1] - this.grid.row0);
    }
  };
})(globalThis.BR = globalThis.BR || {});
