import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createInstance, destroyInstance } from '../../../stack/io-pkt/instance.ts';
import { installStack } from '../../../stack/io-pkt/install.ts';
import {
  addRoute,
  exactRoute,
  lookupRoute,
  maskOf,
  prefixLength,
  removeRoute,
  routes,
} from '../../../stack/net/route.ts';
import { VARIANT, stacks } from '../../../stack/net/stack.ts';
import type { Stack } from '../../../stack/net/stack.ts';

installStack();
let stack: Stack;
beforeEach(() => {
  stack = stacks.get(createInstance({ node: 'route', instance: 0, variant: VARIANT.v4hc, home: 0 }));
});
afterEach(() => destroyInstance(stack.ptr));

// Few different bits, so that prefixes nest and addresses meet them.
const address = fc
  .integer({ min: 0, max: 0xff })
  .map((bits) => ((bits >>> 4) * 0x11000000 + (bits & 15) * 0x00010001) >>> 0);
const change = fc.record({ address, length: fc.integer({ min: 0, max: 32 }), remove: fc.boolean() });

test('a lookup finds the longest prefix, whatever was added and removed', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 60 }),
      fc.array(address, { minLength: 1 }),
      (changes, asked) => {
        const model = new Map<string, { network: number; length: number }>();
        for (const { address: at, length, remove } of changes) {
          const network = (at & maskOf(length)) >>> 0;
          const key = `${network}/${length}`;
          const known = exactRoute(stack, network, length);
          expect(known !== 0).toBe(model.has(key) || (network === 0x7f000000 && length === 8));
          if (known === 0) {
            addRoute(stack, { network, length, gateway: 1, interface: stack.loopback, flags: 0 });
            model.set(key, { network, length });
          } else if (remove && model.delete(key)) removeRoute(stack, known);
        }
        for (const destination of asked) {
          const fits = [...model.values()].filter(
            ({ network, length }) => (destination & maskOf(length)) >>> 0 === network,
          );
          const best = fits.sort((a, b) => b.length - a.length)[0];
          const found = lookupRoute(stack, destination);
          if (best === undefined) expect(found).toBe(0);
          else expect(routes.get(found)).toMatchObject({ network: best.network, length: best.length });
        }
        for (const { network, length } of model.values())
          removeRoute(stack, exactRoute(stack, network, length));
      },
    ),
    { numRuns: 200 },
  );
});

test('netmasks are prefix lengths, or none', () => {
  for (let length = 0; length <= 32; length++) expect(prefixLength(maskOf(length))).toBe(length);
  expect(prefixLength(0xff00ff00)).toBe(-1);
});
