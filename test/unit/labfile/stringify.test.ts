/**
 * Writing labs: what is written reads back equal, in a stable form.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lab } from '../../../main/lab/file/model.ts';
import { parseLab } from '../../../main/lab/file/parse.ts';
import { stringifyLab } from '../../../main/lab/file/stringify.ts';
import { formatDuration, formatRate } from '../../../main/lab/file/units.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    'yes',
    '5',
    '1e3',
    'null',
    '~',
    '# no comment',
    'a: b',
    '- x',
    'two\nlines\n',
    ' spaces ',
    '\ttab',
    '"',
    "'",
    '<<',
    '*x',
    '&x',
    'ifconfig en0 up',
  ),
);
const command = anyText.filter((text) => /\S/.test(text));
const percent = fc.integer({ min: 0, max: 100 }).map((value) => `${String(value)}%`);
const impairments = fc.record(
  {
    delay: fc.integer({ min: 0, max: 1e12 }).map(formatDuration),
    loss: percent,
    corrupt: percent,
    rate: fc.integer({ min: 1, max: 1e12 }).map(formatRate),
    queue: fc.integer({ min: 1, max: 1000 }),
  },
  { requiredKeys: [] },
);

/** A chain of nodes n0 … nN with everything optional sometimes present. */
const lab: fc.Arbitrary<Lab> = fc
  .array(
    fc.record({
      node: fc.record(
        {
          stack: fc.constantFrom('io-pkt-v4', 'io-pkt-v4-hc -t2 -ptcpip forward', 'io-pkt-v6-hc'),
          interfaces: fc.constant<string[]>(['en0', 'en1']),
          startup: fc.array(command, { maxLength: 3 }),
          env: fc.dictionary(fc.constantFrom('SOCK', 'HOME', '_x'), anyText),
          files: fc.dictionary(fc.constantFrom('/etc/hosts', '/a b/ü'), anyText),
        },
        { requiredKeys: ['stack', 'interfaces'] },
      ),
      link: impairments,
      direction: impairments,
      at: fc.record({ x: fc.integer({ min: -1000, max: 1000 }), y: fc.integer({ min: -1000, max: 1000 }) }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts): Lab => {
    const name = (index: number): string => `n${String(index)}`;
    return {
      name: 'generated',
      nodes: Object.fromEntries(parts.map(({ node }, index) => [name(index), node])),
      links: Object.fromEntries(
        parts.slice(1).map(({ link, direction }, index) => [
          `l${String(index)}`,
          {
            between: [`${name(index)}:en1`, `${name(index + 1)}:en0`],
            ...link,
            [`${name(index)}->*`]: direction,
          },
        ]),
      ),
      view: { positions: Object.fromEntries(parts.map(({ at }, index) => [name(index), at])) },
    };
  });

describe('stringifyLab', () => {
  it('writes what reads back equal, and the same again', () => {
    fc.assert(
      fc.property(lab, (given) => {
        const written = stringifyLab(given);
        const parsed = parseLab(written, 'x');
        expect(parsed).toMatchObject({ ok: true, source: given });
        expect(parsed.ok && stringifyLab(parsed.source)).toBe(written);
      }),
    );
  });

  it('orders keys as the schema does, whatever the order of the object', () => {
    const text = stringifyLab({
      links: { wire: { rate: '1mbit', delay: '1ms', between: ['b:en0', 'a:en0'], 'b->a': { loss: '1%' } } },
      nodes: {
        b: { interfaces: ['en0'], stack: 'io-pkt-v4' },
        a: {
          startup: ['ifconfig en0 10.0.0.1/24 up', 'x'.repeat(40)],
          interfaces: ['en0'],
          stack: 'io-pkt-v4',
        },
      },
      name: 'x',
    });
    expect(text).toBe(`name: x
nodes:
  b: { stack: io-pkt-v4, interfaces: [ en0 ] }
  a:
    stack: io-pkt-v4
    interfaces: [ en0 ]
    startup: [ ifconfig en0 10.0.0.1/24 up, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ]
links:
  wire:
    between: [ b:en0, a:en0 ]
    delay: 1ms
    rate: 1mbit
    b->a: { loss: 1% }
`);
  });
});
