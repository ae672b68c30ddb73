// Hostile rule sets: broken ones are refused with reasons, none makes the parser fall, hang or grow.
import { describe, expect, it } from 'vitest';
import { parsePfConf } from '../../../../stack/filter/pf/parse.ts';
import { HUGE, QUICK } from './huge.ts';
import { readMutated } from './mutating.ts';
import { errorsOf, machine, messagesOf } from './reading.ts';

describe('a broken pf.conf', () => {
  it('is read or refused, never more', () => {
    const { accepted, rejected, slowest } = readMutated(1, 600);
    expect(accepted).toBeGreaterThan(5);
    expect(rejected).toBeGreaterThan(200);
    // A machine that is busy with other tests may stop for a while.
    expect(slowest).toBeLessThan(1000);
  });

  it.each([
    ['a list that is never closed', `pass from { ${'10.0.0.1 '.repeat(3000)}`],
    ['braces in braces', `pass from ${'{ '.repeat(5000)}`],
    ['anchors in anchors', 'anchor {\n'.repeat(2000)],
    ['a word without end', `pass from ${'x'.repeat(100_000)}`],
    ['a quote that is never closed', `pass label "${'x\n'.repeat(20_000)}`],
    ['lines joined without end', 'pass \\\n'.repeat(20_000)],
    ['errors without end', 'nonsense!\n'.repeat(20_000)],
    ['a macro in its own value', 'a = "$a $a"\npass from $a'],
  ])('with %s is refused', (_, text) => {
    expect(errorsOf(text, { generation: '4.2' }).length).toBeLessThanOrEqual(101);
  });

  it('that becomes too many rules in many small steps is refused', () => {
    const hosts = Array.from({ length: 40 }, (_, i) => `10.0.0.${i + 1}`).join(' ');
    const rule = `pass from { ${hosts} } to { ${hosts} }\n`;
    expect(messagesOf(rule.repeat(80)).at(-1)).toMatch(/a rule set may have 100000/);
  });
});

it('a rule set of 1 MB is read', () => {
  const rule = (i: number): string =>
    `pass in quick on en0 proto tcp from 10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255} to any port ${(i % 65_000) + 1} keep state\n`;
  let text = '';
  for (let i = 0; text.length < 1_000_000; i++) text += rule(i);
  const result = parsePfConf(text, machine, { generation: '3.7' });
  expect('errors' in result ? result.errors : result.ruleSet.anchors['']?.filter.length).toBeGreaterThan(
    10_000,
  );
}, 10_000);

it.each(QUICK)('a megabyte of %s is read or refused soon', (name) => {
  const begun = performance.now();
  parsePfConf(HUGE[name]!, machine, { generation: '3.7' });
  // A machine that is busy with other tests may stop for a while.
  expect(performance.now() - begun).toBeLessThan(4000);
});
