/* Finding a place, a cell or a position from what was typed, in either script. */
(function (BR) {
  'use strict';
  const SAME = { 'ي': 'ی', 'ى': 'ی', 'ئ': 'ی', 'ك': 'ک', 'ة': 'ه', 'ۀ': 'ه', 'أ': 'ا', 'إ': 'ا', 'آ': 'ا', 'ٱ': 'ا', 'ؤ': 'و' };

  /** Text as it is compared: one form of each letter, Latin digits, no marks, joiners or case. */
  BR.normalise = function (text) {
    return String(text)
      .replace(/[\u06f0-\u06f9]/g, (digit) => digit.charCodeAt(0) - 0x6f0)
      .replace(/[\u0660-\u0669]/g, (digit) => digit.charCodeAt(0) - 0x660)
      .replace(/[يىئكةۀأإآٱؤ]/g, (letter) => SAME[letter])
      .normalize('NFKD')
      .replace(/[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640]/g, '')
      .replace(/[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff'’ʻʿʾ`]/g, '')
      .toLowerCase()
      .replace(/[\s_\-–—.]+/g, ' ')
      .trim();
  };

  /** How well a name answers a query: 0 not at all, 3 the same. */
  function match(name, query, joined) {
    if (!name) return 0;
    const text = BR.normalise(name);
    if (text === query || text.replace(/ /g, '') === joined) return 3;
    if (text.startsWith(query) || text.replace(/ /g, '').startsWith(joined)) return 2;
    return text.includes(query) ? 1 : 0;
  }

  /** Places that answer a query, best match first, then largest. */
  BR.findPlaces = function (places, text, limit = 8) {
    const query = BR.normalise(text);
    if (!query) return [];
    const joined = query.replace(/ /g, '');
    return places
      .map((place) => ({ place, score: Math.max(match(place.n, query, joined), match(place.fa, query, joined)) }))
      .filter((hit) => hit.score)
      .sort((a, b) => b.score - a.score || b.place.pop - a.place.pop)
      .slice(0, limit)
      .map((hit) => hit.place);
  };
})(globalThis.BR = globalThis.BR || {});
