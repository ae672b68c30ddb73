// The test projects. `npm test` runs all but soak; projects run one after another, so that nothing measures a busy machine.
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';
import { grammars } from './vite-grammars.ts';
import type { TestProjectInlineConfiguration } from 'vitest/config';

const skipReasons = new Set<string>();

/** A project of the tests in test/`name`, the `order`th to run. */
function project(
  name: string,
  order: number,
  options: NonNullable<TestProjectInlineConfiguration['test']> = {},
): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      sequence: { groupOrder: order },
      ...options,
    },
  };
}

export default defineConfig({
  plugins: [vue(), grammars()],
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    env: { STACKSCOPE_DEBUG_POOL: '1' },
    globalSetup: ['test/support/global-setup.ts'],
    // Several test files may miss the same tool: its line is shown once.
    onConsoleLog(log) {
      const line = log.trim();
      if (!line.startsWith('skipped: ')) return undefined;
      if (skipReasons.has(line)) return false;
      skipReasons.add(line);
      return undefined;
    },
    projects: [
      project('unit', 0),
      project('conformance', 1, { testTimeout: 60_000 }),
      // These share the kernel, the browser and the clock of one machine: one file at a time.
      project('interop', 2, { maxWorkers: 1, testTimeout: 120_000, hookTimeout: 60_000 }),
      project('e2e', 3, {
        maxWorkers: 1,
        testTimeout: 60_000,
        hookTimeout: 60_000,
        globalSetup: ['test/support/renderer-setup.ts'],
      }),
      // Heavier cases of any kind, in files named *.soak.ts: `npm run soak`.
      project('soak', 4, { include: ['test/**/*.soak.ts'], testTimeout: 600_000, hookTimeout: 60_000 }),
    ],
  },
});
