/** The compiler of filter expressions next to tcpdump's, over random expressions and packets. `npm run fuzz:bpf` has many more of them. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../stack/filter/bpf/language/compile.ts';
import { decimalListing, initializerListing, listing } from '../../stack/filter/bpf/listing.ts';
import { compareWithTcpdump } from '../conformance/bpf/differential.ts';
import type { Comparison } from '../conformance/bpf/differential.ts';
import { findTool, requires } from '../support/requires.ts';

describe.skipIf(requires({ tools: ['tcpdump'] }))('tcpdump', () => {
  test('600 random expressions are accepted or refused alike, and do the same', async () => {
    const results: Comparison[] = [];
    await compareWithTcpdump(600, 42, (comparison) => results.push(comparison));
    expect(results.filter(({ kind }) => kind === 'different')).toEqual([]);
    const accepted = results.filter((result) => result.kind === 'same' && result.accepted);
    expect(accepted.length).toBeGreaterThan(200);
  });

  // Expressions for which both compilers choose the same instructions.
  test.each([
    'ip',
    'tcp port 80',
    'not arp',
    'ether host 2:0:0:0:0:1',
    'udp[4:2] > 20',
    'vlan 5 and ip6',
    'len > 100',
  ])('prints the same listings of %j', (expression) => {
    const compiled = compileFilter(expression, { linkType: 1 });
    if ('error' in compiled) throw new Error(compiled.error.message);
    const tcpdump = (flag: string): string =>
      execFileSync(findTool('tcpdump') ?? '', [flag, '-y', 'EN10MB', expression], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    expect(listing(compiled.program)).toBe(tcpdump('-d'));
    expect(initializerListing(compiled.program)).toBe(tcpdump('-dd'));
    expect(decimalListing(compiled.program)).toBe(tcpdump('-ddd'));
  });
});
