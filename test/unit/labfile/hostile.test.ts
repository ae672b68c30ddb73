/**
 * Malformed and hostile lab files: a problem with a place in the file, never a crash, a hang or a changed prototype.
 *
 * The malformed files are made from the examples with a seeded generator: by structure (a part removed, replaced, renamed or doubled) and by
 * byte (flipped, cut, inserted).
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml';
import type { Problem } from '../../../main/lab/file/model.ts';
import { parseLab } from '../../../main/lab/file/parse.ts';
import { examples } from './examples.ts';

const SEED = 20_240_601;

function problemsOf(text: string): readonly Problem[] {
  const parsed = parseLab(text, 'x');
  return parsed.ok ? [] : parsed.problems;
}

/** Every problem is in the file, says something, and they are in order. */
function expectWellFormed(problems: readonly Problem[], text: string): void {
  const lines = text.split('\n');
  let before = 1;
  for (const { line, column, message, file } of problems) {
    expect(file).toBe('x');
    expect(line).toBeGreaterThanOrEqual(before);
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
    expect(message.length).toBeGreaterThan(5);
    expect(message).not.toMatch(/undefined|\[object|NaN/);
    before = line;
  }
}

type Container = Record<string, unknown> | unknown[];

function containers(value: unknown): Container[] {
  if (typeof value !== 'object' || value === null) return [];
  const container = value as Container;
  return [container, ...Object.values(container).flatMap(containers)];
}

const WRONG_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  '',
  'x y',
  '->',
  'a:b:c',
  [],
  {},
  [[]],
  { a: { b: {} } },
  [null],
  '5',
  '\u0000',
  '999999999999999999999s',
  'all',
  'alpha',
  'link:',
];

/** A part of the lab replaced by something of another kind, renamed to a key that means nothing, or removed. */
const structuralMutation = fc.record({
  example: fc.integer({ min: 0, max: 4 }),
  container: fc.nat(),
  key: fc.nat(),
  change: fc.oneof(
    fc.record({ kind: fc.constant('replace' as const), value: fc.constantFrom(...WRONG_VALUES) }),
    fc.record({
      kind: fc.constant('rename' as const),
      name: fc.constantFrom('zzz', '', '9', 'a b', 'x->y', '-', 'toString'),
    }),
    fc.record({ kind: fc.constant('remove' as const) }),
  ),
});

type StructuralMutation = typeof structuralMutation extends fc.Arbitrary<infer T> ? T : never;

function mutateStructure(mutation: StructuralMutation, texts: readonly string[]): string {
  const lab: unknown = parseYaml(texts[mutation.example] ?? '');
  const all = containers(lab).filter((candidate) => Object.keys(candidate).length > 0);
  const container = all[mutation.container % all.length] as Record<string, unknown>;
  const keys = Object.keys(container);
  const key = keys[mutation.key % keys.length] ?? '';
  const { change } = mutation;
  if (change.kind === 'replace') container[key] = change.value;
  else {
    if (change.kind === 'rename') container[change.name] = container[key];
    if (Array.isArray(container)) container.splice(Number(key), 1);
    else Reflect.deleteProperty(container, key);
  }
  return stringifyYaml(lab);
}

const byteMutation = fc.record({
  example: fc.integer({ min: 0, max: 4 }),
  edits: fc.array(
    fc.record({
      at: fc.nat(),
      remove: fc.integer({ min: 0, max: 40 }),
      insert: fc.oneof(
        fc.constantFrom(
          '\t',
          '{',
          '[',
          ']',
          '}',
          ':',
          '&a ',
          '*a',
          '!!x',
          '"',
          "'",
          '|',
          '%',
          '- ',
          '\0',
          '\n',
          '\r',
          '<<: ',
        ),
        fc.string({ maxLength: 4, unit: 'binary' }),
      ),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

type ByteMutation = typeof byteMutation extends fc.Arbitrary<infer T> ? T : never;

function mutateBytes({ example, edits }: ByteMutation, texts: readonly string[]): string {
  return edits.reduce((text, { at, remove, insert }) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + insert + text.slice(place + remove);
  }, texts[example] ?? '');
}

describe('generated malformed files', () => {
  const texts = examples().map(({ text }) => text);

  it('300 with a broken structure: each that is refused says where', () => {
    let refused = 0;
    for (const mutation of fc.sample(structuralMutation, { seed: SEED, numRuns: 300 })) {
      const text = mutateStructure(mutation, texts);
      const problems = problemsOf(text);
      expectWellFormed(problems, text);
      if (problems.length > 0) refused++;
    }
    expect(refused).toBeGreaterThan(200);
  });

  it('1000 with broken bytes: each that is refused says where', () => {
    let refused = 0;
    for (const mutation of fc.sample(byteMutation, { seed: SEED, numRuns: 1000 })) {
      const text = mutateBytes(mutation, texts);
      const problems = problemsOf(text);
      expectWellFormed(problems, text);
      if (problems.length > 0) refused++;
    }
    expect(refused).toBeGreaterThan(500);
  });

  it('every example cut off at any line is refused or whole', () => {
    for (const text of texts) {
      const lines = text.split('\n');
      for (let count = 0; count < lines.length; count++) {
        const cut = lines.slice(0, count).join('\n');
        expectWellFormed(problemsOf(cut), cut);
        if (!cut.includes('nodes:')) expect(problemsOf(cut)).not.toEqual([]);
      }
    }
  });
});

describe('every wrong value', () => {
  const places = [
    'name',
    'nodes',
    'links',
    'nodes.a',
    'nodes.a.stack',
    'nodes.a.interfaces',
    'links.l',
    'links.l.between',
    'links.l.delay',
    'links.l.loss',
  ];
  const cases = places.flatMap((place) =>
    [{ x: [1] }, [{}], 7, true, null].map((value) => ({ place, value })),
  );

  it.each(cases)('$value as $place is refused at its own line', ({ place, value }) => {
    const lab = {
      name: 'x',
      nodes: { a: { stack: 'io-pkt-v4', interfaces: ['en0'] } },
      links: { l: { between: ['a:en0', 'a:en1'], delay: '1ms', loss: '1%' } },
    };
    const path = place.split('.');
    const last = path.pop() ?? '';
    let parent: Record<string, unknown> = lab;
    for (const key of path) parent = parent[key] as Record<string, unknown>;
    parent[last] = value;
    const text = stringifyYaml(lab);
    const line = text.split('\n').findIndex((candidate) => new RegExp(`^ *${last}:`).test(candidate)) + 1;
    const about = problemsOf(text).filter((problem) => problem.path.join('.').startsWith(place));
    expect(about.length).toBeGreaterThan(0);
    expect(about.every((problem) => problem.line >= line && problem.line <= line + 2)).toBe(true);
  });
});

describe('hostile files', () => {
  it('an alias bomb is refused without a hang', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level <= 20; level++) {
      lines.push(
        `a${String(level)}: &a${String(level)} [${Array(10)
          .fill(`*a${String(level - 1)}`)
          .join(', ')}]`,
      );
    }
    expect(problemsOf(lines.join('\n')).some(({ message }) => /more than 200000 values/.test(message))).toBe(
      true,
    );
  });

  it('an alias inside its own anchor is refused', () => {
    expect(
      problemsOf('name: x\nnodes: &n\n  a: *n\n').some(({ message }) =>
        /nested deeper than 32/.test(message),
      ),
    ).toBe(true);
  });

  it.each(['[', '{a: ', '- ', '? '])('100,000 times %j is refused', (opening) => {
    expect(problemsOf(opening.repeat(100_000))).not.toEqual([]);
  });

  it('a file of more than 4 MiB is refused with the limit', () => {
    expect(problemsOf(`name: ${'x'.repeat(4 * 1024 * 1024)}`)).toMatchObject([
      { message: expect.stringContaining('4 MiB') as string },
    ]);
  });

  it('60,000 wrong keys are all reported without a hang', () => {
    const text = Array.from({ length: 60_000 }, (_, index) => `k${String(index)}: 1`).join('\n');
    expect(problemsOf(text).filter(({ message }) => message.includes('unknown key'))).toHaveLength(60_000);
  });

  it.each([
    [
      'ends that do not exist',
      `name: x\nnodes: {}\nlinks: { l: { between: [${Array.from({ length: 60_000 }, (_, index) => `n${String(index)}:en0`).join(', ')}] } }`,
    ],
    [
      'directions',
      `name: x\nnodes: {}\nlinks:\n  l:\n    between: [a:en0, b:en0]\n${Array.from({ length: 60_000 }, (_, index) => `    a${String(index)}->b: {}`).join('\n')}`,
    ],
    [
      'equal interfaces',
      `name: x\nnodes: { a: { stack: io-pkt-v4, interfaces: [${Array(100_000).fill('en0').join(', ')}] } }`,
    ],
    ['open brackets', `name: x\nnodes:\n${'  a: {\n'.repeat(60_000)}`],
    [
      'names',
      `name: x\nnodes:\n${Array.from({ length: 30_000 }, (_, index) => `  n${String(index)}: 1`).join('\n')}\nlinks: { l: { between: [${Array.from({ length: 30_000 }, (_, index) => `m${String(index)}:en0`).join(', ')}] } }`,
    ],
  ])('tens of thousands of %s are refused without a hang', (_, text) => {
    expect(problemsOf(text)).not.toEqual([]);
  });

  it('a lab of 1,000 nodes and 1,000 links is read', () => {
    const nodes = Array.from(
      { length: 1000 },
      (_, index) => `  n${String(index)}: { stack: io-pkt-v4, interfaces: [en0, en1] }`,
    );
    const links = Array.from(
      { length: 1000 },
      (_, index) =>
        `  l${String(index)}: { between: [n${String(index)}:en1, n${String((index + 1) % 1000)}:en0] }`,
    );
    const parsed = parseLab(['name: ring', 'nodes:', ...nodes, 'links:', ...links].join('\n'), 'x');
    expect(parsed.ok && [parsed.lab.nodes.length, parsed.lab.links.length]).toEqual([1000, 1000]);
  });

  it('keys that are special to JavaScript change nothing', () => {
    const text =
      'name: x\n__proto__: { polluted: 1 }\nnodes: { __proto__: { polluted: 1 }, constructor: { prototype: { polluted: 1 } } }\n';
    expect(problemsOf(text).map(({ line }) => line)).toEqual([2, 3, 3]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
