/**
 * The shipped examples: they parse without a warning, can be drawn, and say what their descriptions promise.
 */
import { describe, expect, it } from 'vitest';
import type { NormalLab } from '../../../main/lab/file/model.ts';
import { parseLab } from '../../../main/lab/file/parse.ts';
import { stringifyLab } from '../../../main/lab/file/stringify.ts';
import { example, examples } from './examples.ts';

function read(file: string): NormalLab {
  const parsed = parseLab(example(file), file);
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.message).join('\n'));
  return parsed.lab;
}

describe('the example labs', () => {
  it('are the seven that the README names', () => {
    expect(examples().map(({ file }) => file)).toEqual([
      'chain.lab.yaml',
      'layer2.lab.yaml',
      'router.lab.yaml',
      'serial.lab.yaml',
      'switch.lab.yaml',
      'tap.lab.yaml',
      'two-nodes.lab.yaml',
    ]);
  });

  it.each(examples())('$file has neither problems nor warnings', ({ file, text }) => {
    expect(parseLab(text, file)).toMatchObject({ ok: true, warnings: [] });
  });

  it.each(examples())('$file survives writing and reading', ({ file, text }) => {
    const first = parseLab(text, file);
    if (!first.ok) throw new Error(`${file} has problems`);
    const written = stringifyLab(first.source);
    const second = parseLab(written, file);
    expect(second).toMatchObject({ ok: true, source: first.source, lab: first.lab });
    expect(second.ok && stringifyLab(second.source)).toBe(written);
  });

  it.each(examples())('$file places everything that has a place on the map', ({ file }) => {
    const lab = read(file);
    const drawn = [...lab.nodes, ...lab.ports, ...lab.switches].map((item) => item.name);
    expect(lab.view.positions.map((position) => position.name).sort()).toEqual(drawn.sort());
  });

  it('two-nodes has alpha and beta on one cable of 1 ms and 100 Mbit/s, and no way out', () => {
    const lab = read('two-nodes.lab.yaml');
    expect(lab.nodes.map((node) => node.name)).toEqual(['alpha', 'beta']);
    expect(lab.ports).toEqual([]);
    const impairments = {
      delayNs: 1_000_000,
      jitterNs: 100_000,
      lossP: 0,
      duplicateP: 0,
      reorderP: 0,
      corruptP: 0,
      rateBps: 100_000_000,
      queue: 64,
    };
    expect(lab.links).toEqual([
      {
        name: 'wire',
        ends: [
          { kind: 'node', node: 'alpha', interface: 'en0' },
          { kind: 'node', node: 'beta', interface: 'en0' },
        ],
        directions: [impairments, impairments],
        mtu: undefined,
      },
    ]);
  });

  it('router slows one direction only', () => {
    const wan = read('router.lab.yaml').links.find((link) => link.name === 'wan');
    expect(wan?.directions.map(({ rateBps, queue, delayNs }) => ({ rateBps, queue, delayNs }))).toEqual([
      { rateBps: 10_000_000, queue: 32, delayNs: 5_000_000 },
      { rateBps: 100_000_000, queue: 64, delayNs: 5_000_000 },
    ]);
  });

  it('chain joins eight nodes and loses frames on exactly one link', () => {
    const lab = read('chain.lab.yaml');
    expect(lab.nodes).toHaveLength(8);
    expect(lab.links).toHaveLength(7);
    expect(lab.links.filter((link) => link.directions.some(({ lossP }) => lossP > 0))).toHaveLength(1);
  });

  it('tap opens sscope0 with the address of the host', () => {
    expect(read('tap.lab.yaml').ports).toEqual([
      { name: 'host', tap: 'sscope0', address: { ip: '10.0.9.254', prefixLength: 24 }, persist: false },
    ]);
  });

  it('switch gives ends without a port the next free one', () => {
    const ends = read('switch.lab.yaml').links.map((link) => link.ends[1]);
    expect(ends.map((end) => end?.kind === 'switch' && end.port)).toEqual(['1', '2', '3', '8']);
  });
});
