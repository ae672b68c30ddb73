/** The compiler of the BPF filter language against the published cases of libpcap's own tests. */
import { describe, expect, test } from 'vitest';
import { conformanceDir } from '../support/conformance.ts';
import { judge } from './bpf/judge.ts';
import type { Group, Verdict } from './bpf/judge.ts';

const folder = conformanceDir('bpf');

describe.skipIf(folder === undefined)('published filter expressions', () => {
  let verdicts: Verdict[] | undefined;

  async function failures(group: Group): Promise<string[]> {
    verdicts ??= await judge(folder ?? '');
    const failed = verdicts.filter((entry) => entry.group === group && entry.result === 'fail');
    return failed.map(({ name, reason }) => `${name}: ${reason}`);
  }

  test.each(['apply', 'accept', 'reject'] as const)('%s', async (group) => {
    expect(await failures(group)).toEqual([]);
  });
});
