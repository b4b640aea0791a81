import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';
const BR = load('base', 'codec', 'format', 'search', 'permalink', 'labels', 'about', 'legend', 'vectors', 'popup', 'position', 'reasons', 'sums', 'files');

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

const near = (text, lat, lon) => {
  const [first] = BR.readPositions(text);
  assert.ok(first, text);
  assert.ok(Math.abs(first.lat - lat) < 1e-4 && Math.abs(first.lon - lon) < 1e-4, `${text}: ${first.lat}, ${first.lon}`);
};

test('positions are read as decimal degrees or degrees, minutes, seconds, in either script', () => {
  for (const text of ['36.3, 59.6', '36.3 59.6', '36.3; 59.6', '۳۶٫۳، ۵۹٫۶', '36°18′00″N 59°36′00″E', "36°18'N, 59°36'E", 'N36 18 0 E59 36 0', '36 18 00 N 59 36 00 E', '36 18 00 59 36 00', '36:18:00 59:36:00', '59.6E 36.3N', 'E 59°36′, N 36°18′', '۳۶°۱۸′ شمالی ۵۹°۳۶′ شرقی']) near(text, 36.3, 59.6);
  near('-33.9 18.4', -33.9, 18.4);
  near('33°54′S 18°24′E', -33.9, 18.4);
  near('10.5 W, 0.25 S', -0.25, -10.5);
});

test('both orders are offered, named ones in theirs only, and nonsense is none', () => {
  assert.deepEqual(BR.readPositions('59.6, 36.3').map(({ lat, lon, swapped }) => [lat, lon, swapped]), [[59.6, 36.3, false], [36.3, 59.6, true]]);
  assert.deepEqual(BR.readPositions('95, 10').map(({ lat, lon }) => [lat, lon]), [[10, 95]]);
  assert.equal(BR.readPositions('59.6E 36.3N').length, 1);
  for (const text of ['Mashhad', '95, 190', '36.3', '36 61 00 N 59 0 0 E', '36N 59N', '1 2 3', '', 'r010c020', '36.3, Mashhad', '--3, 4']) assert.deepEqual(BR.readPositions(text), [], text);
});

test('positions are written as decimal degrees and as degrees, minutes, seconds', () => {
  assert.equal(BR.decimal(36.3, 59.61234), '36.3000, 59.6123');
  assert.equal(BR.dms(36.3, 59.61), '36°18′00″N 59°36′36″E');
  assert.equal(BR.dms(-0.99999, -10.5), '1°00′00″S 10°30′00″W');
});

test('counts of parts scatter like negative binomials', () => {
  assert.deepEqual(BR.countInterval(0, 0.5, 0.9), [0, 0]);
  assert.deepEqual(BR.countInterval(0.1, 0.5, 0.9), [0, 0]);
  assert.deepEqual(BR.countInterval(2, 0.5, 0.9), [0, 8]);
  assert.ok(Math.abs(BR.expectedOf(0.5, 0.5) - 1.5) < 1e-12);
  assert.ok(Math.abs(BR.chanceOf(1.5, 0.5) - 0.5) < 1e-12);
});

test('numbers in sentences have two figures, or are whole from ten on', () => {
  assert.deepEqual([7.84, 0.0131, 84.4, 12345, 3, 9.949, 9.96, 0.5, 84.5, 85.5, -0.31, 0].map((n) => BR.numeral(n, 'en')), ['7.8', '0.013', '84', '12,345', '3', '9.9', '10', '0.5', '84', '86', '−0.31', '0']);
  assert.equal(BR.numeral(12345.4, 'fa'), '۱۲٬۳۴۵');
});

test('no field of a table is taken for a formula', () => {
  for (const text of ['=1+1', '+49', '-1', '@SUM(A1)', '\t=1', ' =1', '\r=1']) assert.ok(BR.csvField(text).replace(/^"/, '').startsWith("'"), text);
  assert.equal(BR.csvField(-1.5), '-1.5');
  assert.equal(BR.csvField('12 km NE of "X", Y'), '"12 km NE of ""X"", Y"');
  assert.equal(BR.csvField(null), '');
  assert.equal(BR.csv([{ a: 1, b: 'x' }]), '\ufeffa,b\r\n1,x\r\n');
});

test('a point is in a ring or not', () => {
  const ring = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]];
  assert.ok(BR.inRing([1, 1], ring));
  assert.ok(!BR.inRing([2, 3], ring));
  assert.ok(!BR.inRing([5, 1], ring));
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
