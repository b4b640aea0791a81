// The map's scripts share one namespace instead of modules; this loads the named ones into node.
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const ASSETS = '../../../src/borderrisk/outputs/webmap/assets/';
export function load(...names) {
  for (const name of names) require(`${ASSETS}${name}.js`);
  return globalThis.BR;
}
