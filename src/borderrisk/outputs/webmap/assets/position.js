/* Positions: read in any common spelling and either order, written as decimal degrees and as degrees, minutes, seconds. */
(function (BR) {
  'use strict';
  const LETTERS = { 'شمالی': 'N', 'شمال': 'N', 'جنوبی': 'S', 'جنوب': 'S', 'شرقی': 'E', 'شرق': 'E', 'غربی': 'W', 'غرب': 'W' };

  /** One spelling of digits, signs and marks; letters of the compass in capitals. */
  function plain(text) {
    return String(text)
      .replace(/[\u06f0-\u06f9]/g, (digit) => digit.charCodeAt(0) - 0x6f0)
      .replace(/[\u0660-\u0669]/g, (digit) => digit.charCodeAt(0) - 0x660)
      .replace(/٫/g, '.').replace(/[،؛]/g, ',').replace(/[−–]/g, '-')
      .replace(/[″”“]|''|′′/g, '"').replace(/[′’‘ʹ´`]/g, "'").replace(/º/g, '°')
      .replace(/(شمال|جنوب|شرق|غرب)ی?/g, (word) => LETTERS[word])
      .replace(/[\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, '')
      .toUpperCase().trim();
  }

  /** One coordinate of one to three numbers, `{value, axis}`; null when it is none. `axis` is '' without a letter. */
  function coordinate(text) {
    const found = /^([NSEW]?)\s*([+-]?)\s*(\d+(?:\.\d+)?)\s*[°:\s]?\s*(?:(\d+(?:\.\d+)?)\s*[':\s]?\s*(?:(\d+(?:\.\d+)?)\s*"?\s*)?)?([NSEW]?)$/.exec(text.trim());
    if (!found || (found[1] && found[6])) return null;
    const [, before, sign, degrees, minutes, seconds, after] = found;
    const letter = before || after;
    if (Number(minutes || 0) >= 60 || Number(seconds || 0) >= 60 || (letter && sign)) return null;
    const size = Number(degrees) + Number(minutes || 0) / 60 + Number(seconds || 0) / 3600;
    return { value: sign === '-' || letter === 'S' || letter === 'W' ? -size : size, axis: 'NS'.includes(letter) ? letter && 'lat' : 'lon' };
  }

  /** The two halves of what was typed. */
  function halves(text) {
    const letters = text.match(/[NSEW]/g) || [];
    if (letters.length === 2) {
      const at = /^[NSEW]/.test(text) ? text.slice(1).search(/[NSEW]/) + 1 : text.search(/[NSEW]/) + 1;
      return [text.slice(0, at), text.slice(at)].map((part) => part.replace(/^[\s,;]+|[\s,;]+$/g, ''));
    }
    const parts = text.split(/\s*[,;]\s*/);
    if (parts.length === 2) return parts;
    const words = text.split(/\s+/);
    return words.length % 2 ? [] : [words.slice(0, words.length / 2).join(' '), words.slice(words.length / 2).join(' ')];
  }

  const onEarth = ({ lat, lon }) => Math.abs(lat) <= 90 && Math.abs(lon) <= 180;

  /** Positions a text can mean, the likelier first: `{lat, lon, swapped}`; none when it is no position. */
  BR.readPositions = function (text) {
    const pair = halves(plain(text)).map(coordinate);
    if (pair.length !== 2 || pair.some((part) => !part)) return [];
    const [a, b] = pair;
    if (a.axis && a.axis === b.axis) return [];
    const straight = { lat: a.value, lon: b.value, swapped: false };
    const turned = { lat: b.value, lon: a.value, swapped: true };
    const named = a.axis || (b.axis && (b.axis === 'lat' ? 'lon' : 'lat'));
    return (named ? [named === 'lat' ? straight : { ...turned, swapped: false }] : [straight, turned]).filter(onEarth);
  };

  /** Whether a position lies on the map or in the surroundings drawn around it (degrees). */
  BR.onMap = ({ lat, lon }, [west, south, east, north], around = 1) => lon >= west - around && lon <= east + around && lat >= south - around && lat <= north + around;

  BR.decimal = (lat, lon) => `${lat.toFixed(4)}, ${lon.toFixed(4)}`;

  function sexagesimal(value, letters) {
    const seconds = Math.round(Math.abs(value) * 3600);
    const two = (n) => String(n).padStart(2, '0');
    return `${Math.floor(seconds / 3600)}°${two(Math.floor(seconds / 60) % 60)}′${two(seconds % 60)}″${letters[value < 0 ? 1 : 0]}`;
  }

  BR.dms = (lat, lon) => `${sexagesimal(lat, 'NS')} ${sexagesimal(lon, 'EW')}`;
})(globalThis.BR = globalThis.BR || {});
