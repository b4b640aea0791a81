import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';
const BR = load('base', 'codec', 'format', 'search', 'permalink', 'labels', 'about', 'legend', 'vectors', 'popup');

const PLACES = [
  { n: 'Mashhad', fa: 'مشهد', pop: 3000000 },
  { n: 'Torbat-e Jām', fa: 'تربت‌جام', pop: 100000 },
  { n: 'Torbat-e Heydariyeh', fa: 'تربت حیدریه', pop: 140000 },
  { n: 'Khvāf', fa: 'خواف', pop: 33000 },
];
const names = (query) => BR.findPlaces(PLACES, query).map((place) => place.n);

test('Arabic and Persian letters, marks and joiners are one', () => {
  assert.equal(BR.normalise('تربت‌جام'), BR.normalise('تُربتجام'));
  assert.equal(BR.normalise('حيدريه'), BR.normalise('حیدریه'));
  assert.equal(BR.normalise('كرمان'), BR.normalise('کرمان'));
  assert.equal(BR.normalise('‏R۱۲C۰۰۷'), 'r12c007');
  assert.equal(BR.normalise('  Torbat-e   Jām '), 'torbat e jam');
});

test('places are found in either script, the same name first, then the larger', () => {
  assert.deepEqual(names('torbat'), ['Torbat-e Heydariyeh', 'Torbat-e Jām']);
  assert.deepEqual(names('تربت جام'), ['Torbat-e Jām']);
  assert.deepEqual(names('تربت حيدريه'), ['Torbat-e Heydariyeh']);
  assert.deepEqual(names('khvaf'), ['Khvāf']);
  assert.deepEqual(names('jam'), ['Torbat-e Jām']);
  assert.deepEqual(names('zzz'), []);
  assert.deepEqual(names(' '), []);
});

test('positions are read with either digits and refused off the earth', () => {
  assert.deepEqual(BR.parsePosition('36.3, 59.6'), { lat: 36.3, lon: 59.6 });
  assert.deepEqual(BR.parsePosition('۳۶٫۳، ۵۹٫۶'), { lat: 36.3, lon: 59.6 });
  assert.equal(BR.parsePosition('95, 10'), null);
  assert.equal(BR.parsePosition('Mashhad'), null);
});

test('the address keeps a view and gives it back', () => {
  const state = { layer: 'width', opacity: 80, min: 0.25, cell: 'r001c002', lang: 'fa', theme: 'dark', from: '2015-01-01', to: '2020-12-31', hide: ['top', 'places'], show: ['corridors'], view: { zoom: 7.5, lat: 35.12346, lon: -60.5 } };
  assert.deepEqual(BR.readHash(BR.writeHash(state)), state);
  assert.equal(BR.writeHash({ min: null, hide: [] }), '#');
});

test('nonsense in the address is ignored', () => {
  for (const hash of ['', '#', '#layer=<script>', '#opacity=abc&min=', '#view=1/2', '#view=5/95/10', '#from=2015-13-99', '#__proto__=x', '#hide=a<b']) {
    assert.deepEqual({ ...BR.readHash(hash), hide: undefined }, { hide: undefined });
  }
});

test('numbers keep three significant digits and a true minus', () => {
  const en = new BR.Format('en', { km: { en: 'km', fa: 'کیلومتر' }, degree: { en: '°', fa: '°' } });
  assert.equal(en.number(0.0012345), '0.00123');
  assert.equal(en.number(12345.6), '12,346');
  assert.equal(en.number(-0.5), '−0.5');
  assert.equal(en.signed(-0.614), '−0.61');
  assert.equal(en.signed(1.4), '+1.40');
  assert.equal(en.percent(0.0042), '0.42%');
  assert.equal(en.percent(1e-9), '< 0.001%');
  assert.equal(en.value(55, 'km'), '55\u00a0km');
  assert.equal(en.value(7.3, 'degree'), '7.3°');
  assert.equal(en.value(null, 'km'), '–');
  assert.equal(en.date('2014-02-01', 'month'), '2014-02');
});

test('Persian numbers and dates', () => {
  const fa = new BR.Format('fa', { km: { en: 'km', fa: 'کیلومتر' } });
  assert.equal(fa.number(12.5), '۱۲٫۵');
  assert.equal(fa.value(3, 'km'), '۳\u00a0کیلومتر');
  assert.equal(fa.date('2024-03-20', 'day'), '۱۴۰۳/۱/۱ (2024-03-20)');
  assert.equal(fa.date('2024-03-01', 'month'), '2024-03');
});

test('days and dates are each other\'s inverse', () => {
  for (const iso of ['1994-06-20', '2024-02-29']) assert.equal(BR.isoOf(BR.dayOf(iso)), iso);
});

test('labels never overlap; a taken side sends a label to the other', () => {
  const box = (x) => ({ x, y: 0, w: 10, h: 10 });
  assert.deepEqual(BR.declutter([[box(0)], [box(5), box(-20)], [box(5)], [box(50)]]), [0, 1, -1, 0]);
  assert.deepEqual(BR.declutter([[box(0)]], [box(3)]), [-1]);
  assert.ok(BR.leastPeople(5) > BR.leastPeople(9));
});

test('a name stays in its country when both its ends lie by spots of it', () => {
  const spots = [{ x: 0, y: 5 }, { x: 50, y: 5 }, { x: 100, y: 30 }];
  assert.ok(BR.endsNear({ x: 2, y: 0, w: 50, h: 10 }, spots, 10));
  assert.ok(!BR.endsNear({ x: 2, y: 0, w: 98, h: 10 }, spots, 10));
});

test('no interval was computed only where none was left out of the file either', () => {
  assert.ok(BR.noInterval({ columns: {}, dropped: [] }));
  assert.ok(!BR.noInterval({ columns: {}, dropped: ['probability_low'] }));
  assert.ok(!BR.noInterval({ columns: { probability_low: {} }, dropped: [] }));
});

test('a gain is called better only when its whole interval is', () => {
  assert.equal(BR.verdict({ gain: 0.3, low: 0.1, high: 0.5 }), 'better');
  assert.equal(BR.verdict({ gain: 0.3, low: -0.1, high: 0.5 }), 'unclear');
  assert.equal(BR.verdict({ gain: -0.3, low: -0.6, high: -0.1 }), 'worse');
  assert.equal(BR.verdict({ gain: 0.3, low: null, high: null }), 'unclear');
  assert.equal(BR.verdict({ gain: -0.3 }), 'worse');
});

test('only earlier incidents whose disc touches the cell', () => {
  const at = (id, gx, gy, radius, end = '2020-01-01') => ({ id, gx, gy, radius, date: end, end });
  const config = { grid: { cellKm: 10 }, facts: { origin: '2024-01-01' }, incidents: [at('inside', 2.5, 3.5, 0.1), at('touches', 4, 3.5, 10), at('short', 4, 3.5, 9.9), at('corner', 0, 1, 28.3, '2021-01-01'), at('later', 2.5, 3.5, 5, '2024-01-01')] };
  assert.deepEqual(BR.incidentsOver(config, 3, 2).map((incident) => incident.id), ['corner', 'inside', 'touches']);
});

test('classes reach from the lowest to the highest value, risk from 0 to 100', () => {
  assert.deepEqual(BR.classBounds({ name: 'x', range: [1, 9], breaks: [4], colours: ['a', 'b'] }), [[1, 4], [4, 9]]);
  assert.deepEqual(BR.classBounds({ name: 'x', range: [5, 9], breaks: [4, 12], colours: ['a', 'b', 'c'] }), [[4, 4], [4, 12], [12, 12]]);
  assert.deepEqual(BR.classBounds({ name: 'risk', range: [1, 99], breaks: [50], colours: ['a', 'b'] }), [[0, 50], [50, 100]]);
});
