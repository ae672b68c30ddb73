// The published PF cases, where they are: what is accepted, and what it says in normal form.
import { describe, expect, it } from 'vitest';
import { conformanceDir } from '../support/conformance.ts';
import { runPfCases } from './pf/cases.ts';

const directory = conformanceDir('pf');

describe.skipIf(directory === undefined)('pf.conf as pfctl of OpenBSD reads it', () => {
  const results = directory === undefined ? [] : runPfCases(directory);
  it.each(results)('$name', ({ result, reason }) => {
    expect(result, reason).not.toBe('fail');
  });
});
