// A test that misses something says why it is skipped; continuous integration lets nothing be missing.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findTool, requires } from '../support/requires.ts';

beforeEach(() => {
  vi.stubEnv('STACKSCOPE_REQUIRE_ALL', undefined);
  vi.spyOn(console, 'log').mockReturnValue();
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it('finds an installed program and not another', () => {
  expect(findTool('sh')).toMatch(/\/sh$/);
  expect(findTool('no-such-program')).toBeUndefined();
});

it('gives no reason to skip when everything is there', () => {
  expect(requires({ tools: ['sh'] })).toBeUndefined();
  expect(console.log).not.toHaveBeenCalled();
});

it('names and prints the missing program', () => {
  const reason = 'no-such-program is not installed (Debian: no-such-program)';
  expect(requires({ tools: ['sh', 'no-such-program'] })).toBe(reason);
  expect(console.log).toHaveBeenCalledWith(`skipped: ${reason}`);
});

it('fails instead of skipping where nothing may be missing', () => {
  vi.stubEnv('STACKSCOPE_REQUIRE_ALL', '1');
  expect(() => requires({ tools: ['no-such-program'] })).toThrow(/no-such-program is not installed/);
});
