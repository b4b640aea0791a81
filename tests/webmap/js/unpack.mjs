// Unpack a column packed in Python: node unpack.mjs FILE prints its codes as JSON.
import { readFileSync } from 'node:fs';
import { load } from './load.mjs';
const BR = load('base', 'codec', 'cells');
const { grid, columns, text } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const cells = new BR.Cells(grid, columns, (name) => text[name]);
const codes = {};
for (const name of Object.keys(columns)) codes[name] = [...(await cells.load(name))];
console.log(JSON.stringify(codes));
