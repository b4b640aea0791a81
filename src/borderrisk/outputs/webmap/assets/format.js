/* Numbers, dates and units in the reader's language. */
(function (BR) {
  'use strict';
  const LOCALES = { en: 'en-GB', fa: 'fa-IR' };

  /** A true minus sign where a locale writes a hyphen. */
  BR.minus = (text) => text.replace('-', '\u2212');

  BR.Format = class {
    constructor(language, units) {
      this.language = language;
      this.units = units;
      this.locale = LOCALES[language];
    }

    /** Three significant digits; whole numbers from a thousand on. */
    number(value, digits = 3) {
      if (value === null || value === undefined) return '–';
      if (Math.abs(value) >= 1000 || value === 0) return this.whole(value);
      return BR.minus(value.toLocaleString(this.locale, { maximumSignificantDigits: digits }));
    }

    whole(value) { return BR.minus(Math.round(value).toLocaleString(this.locale)); }

    signed(value) { return BR.minus(value.toLocaleString(this.locale, { signDisplay: 'exceptZero', maximumFractionDigits: 2, minimumFractionDigits: 2 })); }

    percent(share, digits = 3) {
      if (share === null || share === undefined) return '–';
      if (share > 0 && share < 1e-5) return `< ${this.percent(1e-5)}`;
      return share.toLocaleString(this.locale, { style: 'percent', maximumSignificantDigits: digits });
    }

    unit(name) {
      const known = this.units[name];
      return known ? known[this.language] : name || '';
    }

    /** A value of a metric or feature with its unit. */
    value(value, units, digits) {
      if (value === null || value === undefined) return '–';
      if (units === 'probability') return this.percent(value, digits);
      const unit = this.unit(units);
      const number = this.number(value, digits);
      return unit ? `${number}${unit === '°' || unit === '×' ? '' : '\u00a0'}${unit}` : number;
    }

    /** An ISO date as precisely as it is known; with the Persian date beside a day in Persian. */
    date(iso, precision) {
      if (!iso) return '–';
      const shown = iso.slice(0, { year: 4, month: 7 }[precision] || 10);
      if (this.language !== 'fa' || shown.length < 10) return shown;
      return `${new Date(`${iso}T12:00:00Z`).toLocaleDateString('fa-IR', { timeZone: 'UTC' })} (${shown})`;
    }
  };

  BR.dayOf = (iso) => Math.round(Date.parse(`${iso}T00:00:00Z`) / 864e5);
  BR.isoOf = (day) => new Date(day * 864e5).toISOString().slice(0, 10);
})(globalThis.BR = globalThis.BR || {});
