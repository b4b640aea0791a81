/* Files made in the browser: CSV that no spreadsheet takes for formulas, GeoJSON, pictures. */
(function (BR) {
  'use strict';

  /** A value as a field of a CSV file. Text a spreadsheet would run as a formula gets an apostrophe before it. */
  BR.csvField = function (value) {
    if (value === null || value === undefined) return '';
    if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
    const text = /^[\s\u0000]*[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",;\n\r\t]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };

  /** Rows (objects with the same keys) as CSV with a header, with the mark that tells spreadsheets it is UTF-8. */
  BR.csv = function (rows) {
    if (!rows.length) return '\ufeff';
    const names = Object.keys(rows[0]);
    return `\ufeff${[names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(BR.csvField).join(',')).join('\r\n')}\r\n`;
  };

  /** Hand a file to the reader. */
  BR.save = function (name, type, content) {
    const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    const link = BR.el('a', { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };

  /** Name of a file of this map: what it is, the run, the end. */
  BR.fileName = (app, what, end) => `${[what, app.config.facts.run].filter(Boolean).join('-').replace(/[^\w.-]+/g, '-')}.${end}`;
})(globalThis.BR = globalThis.BR || {});
