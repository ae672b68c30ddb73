/** The map: where boxes and lines stand, and where the arrow keys lead. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabDescription } from '../../../main/api/model.ts';
import { layoutBoxes } from '../../../renderer/map/layout.ts';
import { neighbourInDirection } from '../../../renderer/map/navigation.ts';
import { buildScene } from '../../../renderer/map/scene.ts';
import type { MapBox } from '../../../renderer/map/shapes.ts';
import { sampleLab } from '../api/sample-host.ts';

const box = (key: string) => ({ key, width: 100, height: 60 });
const chain = (length: number) => Array.from({ length }, (_, i) => box(`n${i + 1}`));
const chainEdges = (length: number) =>
  Array.from({ length: length - 1 }, (_, i) => [`n${i + 1}`, `n${i + 2}`] as const);

function overlap(a: Omit<MapBox, 'kind' | 'name'>, b: Omit<MapBox, 'kind' | 'name'>): boolean {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2;
}

describe('the automatic layout', () => {
  it('draws a chain as a straight line in the order of the file', () => {
    const places = layoutBoxes(chain(8), chainEdges(8));
    const points = chain(8).map(({ key }) => places.get(key));
    expect(new Set(points.map((point) => point?.y)).size).toBe(1);
    const xs = points.map((point) => point?.x ?? 0);
    expect(xs).toEqual(xs.toSorted((a, b) => a - b));
  });

  it('puts a switch between its nodes', () => {
    const nodes = ['a', 'b', 'c', 'd'];
    const places = layoutBoxes(
      [...nodes, 'switch'].map(box),
      nodes.map((node) => [node, 'switch'] as const),
    );
    const x = (key: string): number => places.get(key)?.x ?? NaN;
    expect(x('a')).toBe(x('b'));
    expect(x('a')).toBeLessThan(x('switch'));
    expect(x('switch')).toBeLessThan(x('c'));
    expect(x('c')).toBe(x('d'));
  });

  it('lays a ring out in two rows', () => {
    const edges = [...chainEdges(6), ['n6', 'n1'] as const];
    const places = layoutBoxes(chain(6), edges);
    expect(new Set([...places.values()].map(({ y }) => y)).size).toBe(3);
    expect(new Set([...places.values()].map(({ x }) => x)).size).toBe(4);
  });

  it('keeps a thousand nodes on one switch about square', () => {
    const boxes = [box('switch'), ...chain(999)];
    const places = layoutBoxes(
      boxes,
      chain(999).map(({ key }) => ['switch', key] as const),
    );
    const xs = [...places.values()].map(({ x }) => x);
    const ys = [...places.values()].map(({ y }) => y);
    const ratio = (Math.max(...xs) - Math.min(...xs)) / (Math.max(...ys) - Math.min(...ys));
    expect(ratio).toBeGreaterThan(0.3);
    expect(ratio).toBeLessThan(6);
  });

  it('gathers the nodes of each of many switches around it', () => {
    const switches = Array.from({ length: 20 }, (_, i) => `s${i}`);
    const nodes = chain(1_000);
    const edges = [
      ...nodes.map(({ key }, i) => [key, `s${i % 20}`] as const),
      ...switches.slice(1).map((key, i) => [`s${i}`, key] as const),
    ];
    const places = layoutBoxes([...nodes, ...switches.map(box)], edges);
    const at = (key: string) => places.get(key) ?? { x: NaN, y: NaN };
    const frames = switches.map((name, i) => {
      const own = [name, ...nodes.filter((_, n) => n % 20 === i).map(({ key }) => key)].map(at);
      const [xs, ys] = [own.map(({ x }) => x), own.map(({ y }) => y)];
      const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const [x, y] = [(left + right) / 2, (top + bottom) / 2];
      return { key: name, x, y, width: right - left, height: bottom - top };
    });
    frames.forEach((a, i) => frames.slice(i + 1).forEach((b) => expect(overlap(a, b)).toBe(false)));
    const xs = [...places.values()].map(({ x }) => x);
    const ys = [...places.values()].map(({ y }) => y);
    expect((Math.max(...xs) - Math.min(...xs)) / (Math.max(...ys) - Math.min(...ys))).toBeLessThan(4);
  });

  it('places every box once and none on another, whatever the network', () => {
    const network = fc
      .integer({ min: 1, max: 40 })
      .chain((size) =>
        fc.tuple(fc.constant(size), fc.array(fc.tuple(fc.nat(size), fc.nat(size)), { maxLength: 60 })),
      );
    fc.assert(
      fc.property(network, ([size, pairs]) => {
        const boxes = chain(size);
        // Indices beyond the last box stand for links to nowhere.
        const places = layoutBoxes(
          boxes,
          pairs.map(([a, b]) => [`n${a + 1}`, `n${b + 1}`] as const),
        );
        const placed = boxes.map((entry) => ({ ...entry, ...(places.get(entry.key) ?? { x: NaN, y: NaN }) }));
        expect(placed.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
        placed.forEach((a, i) => placed.slice(i + 1).forEach((b) => expect(overlap(a, b)).toBe(false)));
      }),
    );
  });
});

describe('the scene', () => {
  const at = (lab: LabDescription, key: string): MapBox => {
    const found = buildScene(lab).boxes.find((candidate) => candidate.key === key);
    if (found === undefined) throw new Error(`no box ${key}`);
    return found;
  };

  it('ends a link at the borders of its boxes', () => {
    const [shape] = buildScene(sampleLab()).links;
    const [alpha, beta] = [at(sampleLab(), 'node:alpha'), at(sampleLab(), 'node:beta')];
    expect(shape?.segments[0]?.from).toEqual({ x: alpha.x + alpha.width / 2, y: alpha.y });
    expect(shape?.segments[0]?.to).toEqual({ x: beta.x - beta.width / 2, y: beta.y });
  });

  it("keeps the lab file's arrangement but makes room for links", () => {
    const lab = sampleLab();
    const [alpha, beta] = lab.nodes;
    if (alpha === undefined || beta === undefined) throw new Error('two nodes expected');
    const close: LabDescription = {
      ...lab,
      nodes: [
        { ...alpha, position: { x: 100, y: 50 } },
        { ...beta, position: { x: 200, y: 50 } },
      ],
    };
    const [a, b] = [at(close, 'node:alpha'), at(close, 'node:beta')];
    expect(a.y).toBe(b.y);
    expect(b.x - a.x).toBeGreaterThan(a.width + 100);
  });

  it('keeps two links between the same nodes apart', () => {
    const lab = sampleLab();
    const links = ['one', 'two'].map((name) => ({
      ...lab.links[0],
      name,
      ends: lab.links[0]?.ends ?? [],
      impairments: '',
    }));
    const [one, two] = buildScene({ ...lab, links }).links;
    const distance = (one?.segments[0]?.from.y ?? 0) - (two?.segments[0]?.from.y ?? 0);
    expect(Math.abs(distance)).toBeGreaterThan(15);
  });

  it('draws a link of three ends as a hub with a line to each', () => {
    const lab = sampleLab();
    const ends = ['alpha', 'beta', 'alpha'].map((name, i) => ({
      kind: 'node' as const,
      name,
      interface: `en${i}`,
    }));
    const scene = buildScene({ ...lab, links: [{ name: 'hub', ends, impairments: '' }] });
    expect(scene.boxes.map(({ key }) => key)).toContain('hub:hub');
    expect(scene.links[0]?.segments.map(({ fromEnd, toEnd }) => [fromEnd, toEnd])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, undefined],
    ]);
  });
});

describe('arrow keys', () => {
  const places = [
    { key: 'left', x: 0, y: 0 },
    { key: 'middle', x: 100, y: 10 },
    { key: 'right', x: 200, y: 0 },
    { key: 'below', x: 105, y: 120 },
  ];
  const from = (key: string) => places.find((place) => place.key === key) ?? { key, x: 0, y: 0 };

  it.each([
    ['left', 'right', 'middle'],
    ['right', 'left', 'middle'],
    ['middle', 'down', 'below'],
    ['below', 'up', 'middle'],
  ] as const)('lead from %s to the %s to %s', (start, direction, goal) => {
    expect(neighbourInDirection(places, from(start), direction)?.key).toBe(goal);
  });

  it('lead nowhere at the edge', () => {
    expect(neighbourInDirection(places, from('left'), 'left')).toBeUndefined();
    expect(neighbourInDirection(places, from('left'), 'up')).toBeUndefined();
  });
});
