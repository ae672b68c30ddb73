// The layer rules of .dependency-cruiser.cjs hold for the whole tree, and each of them catches what it forbids.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { cruise } from 'dependency-cruiser';
import type { ICruiseOptions, ICruiseResult, IForbiddenRuleType } from 'dependency-cruiser';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const configuration = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
  forbidden: IForbiddenRuleType[];
  options: ICruiseOptions;
};

/** Cruises the top-level folders under `baseDir` and returns each violation as `rule: from -> to`. */
async function violations(baseDir: string, folders: string[]): Promise<string[]> {
  const { tsConfig, ...options } = configuration.options;
  const tsConfigFile = join(repository, tsConfig?.fileName ?? 'tsconfig.json');
  const { output } = await cruise(
    folders,
    { ...options, baseDir, validate: true, ruleSet: { forbidden: configuration.forbidden } },
    undefined,
    { tsConfig: extractTsConfig(tsConfigFile) },
  );
  return (output as ICruiseResult).summary.violations.map(
    ({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`,
  );
}

it('finds no arrow against the layers in the repository', async () => {
  expect(await violations(repository, ['main', 'renderer', 'stack', 'drivers', 'test'])).toEqual([]);
}, 60_000);

describe('the layer rules', () => {
  const house = mkdtempSync(join(tmpdir(), 'stackscope-layers-'));
  afterAll(() => {
    rmSync(house, { recursive: true });
  });

  const forbidden: [rule: string, from: string, to: string][] = [
    ['renderer-imports-the-contract-only', 'renderer/a.ts', 'stack/net/target.ts'],
    ['renderer-imports-the-contract-only', 'renderer/b.ts', 'main/lab/target.ts'],
    ['contract-stands-alone', 'main/api/a.ts', 'main/lab/target.ts'],
    ['main-does-not-import-the-renderer', 'main/lab/a.ts', 'renderer/target.ts'],
    ['drivers-know-the-driver-interface-only', 'drivers/devnp-a/a.ts', 'stack/socket/target.ts'],
    ['drivers-know-the-driver-interface-only', 'drivers/devnp-b/a.ts', 'main/lab/target.ts'],
    ['stack-stands-alone', 'stack/net/a.ts', 'drivers/devnp-vnic/target.ts'],
    ['memory-is-the-ground', 'stack/memory/a.ts', 'stack/runtime/target.ts'],
    ['runtime-on-memory', 'stack/runtime/a.ts', 'stack/kernel/target.ts'],
    ['kernel-on-runtime', 'stack/kernel/a.ts', 'stack/socket/target.ts'],
    ['kernel-on-runtime', 'stack/kernel/b.ts', 'stack/netinet/target.ts'],
    ['socket-on-kernel', 'stack/socket/a.ts', 'stack/utilities/target.ts'],
    ['utilities-on-socket', 'stack/utilities/a.ts', 'stack/netinet/target.ts'],
    ['protocols-on-runtime', 'stack/netinet/a.ts', 'stack/kernel/target.ts'],
    ['protocols-on-runtime', 'stack/lsm/lsm-pf/a.ts', 'stack/socket/target.ts'],
    ['modules-are-loaded', 'stack/net/b.ts', 'stack/lsm/lsm-qnet/target.ts'],
    ['modules-do-not-know-each-other', 'stack/lsm/lsm-pf/b.ts', 'stack/lsm/lsm-qnet/target.ts'],
    ['no-cycle', 'stack/net/one.ts', 'stack/net/two.ts'],
  ];
  const allowed: [from: string, to: string][] = [
    ['renderer/ok.ts', 'main/api/target.ts'],
    ['main/lab/ok.ts', 'drivers/devnp-vnic/target.ts'],
    ['main/lab/fine.ts', 'stack/socket/target.ts'],
    ['drivers/devnp-vnic/ok.ts', 'stack/net/target.ts'],
    ['stack/utilities/ok.ts', 'stack/socket/target.ts'],
    ['stack/socket/ok.ts', 'stack/kernel/target.ts'],
    ['stack/kernel/ok.ts', 'stack/runtime/target.ts'],
    ['stack/runtime/ok.ts', 'stack/memory/target.ts'],
    ['stack/netinet/ok.ts', 'stack/net/target.ts'],
    ['stack/lsm/lsm-pf/ok.ts', 'stack/runtime/target.ts'],
  ];
  let found: string[] = [];

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(house, path)), { recursive: true });
    writeFileSync(join(house, path), text);
  }

  /** Writes a type-only import: the weakest arrow there is, unless the rule lets types through. */
  function writeImport(from: string, to: string, keyword = 'import type'): void {
    const path = relative(dirname(from), to);
    const imported = keyword === 'import type' ? 'Target' : 'target';
    write(from, `${keyword} { ${imported} } from '${path.startsWith('.') ? path : `./${path}`}';\n`);
    if (to.endsWith('/target.ts')) {
      write(to, 'export type Target = number;\nexport const target: Target = 1;\n');
    }
  }

  beforeAll(async () => {
    for (const [rule, from, to] of forbidden) {
      writeImport(from, to, rule === 'contract-stands-alone' ? 'import' : 'import type');
    }
    for (const [from, to] of allowed) writeImport(from, to);
    writeImport('stack/net/two.ts', 'stack/net/one.ts');
    write('stack/net/core.ts', `import { app } from 'electron';\nexport const name = app.name;\n`);
    write('main/api/node.ts', `import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n`);
    write('main/lab/orphan.ts', 'export const orphan = 1;\n');
    write('main/lab/lost.ts', `import { gone } from './gone.ts';\nexport const lost = gone;\n`);
    found = await violations(house, ['main', 'renderer', 'stack', 'drivers']);
  }, 60_000);

  it.each(forbidden)('%s catches %s -> %s', (rule, from, to) => {
    expect(found).toContain(`${rule}: ${from} -> ${to}`);
  });

  it.each(allowed)('let %s import %s', (from, to) => {
    expect(found.filter((violation) => violation.endsWith(`: ${from} -> ${to}`))).toEqual([]);
  });

  it('catch electron outside its shell', () => {
    expect(found).toContainEqual(
      expect.stringMatching(/^electron-in-its-shell-only: stack\/net\/core\.ts -> /),
    );
  });

  it('catch a Node built-in in the contract', () => {
    expect(found).toContain('renderer-runs-in-a-browser: main/api/node.ts -> fs');
  });

  it('catch an orphan and an import that finds nothing', () => {
    expect(found).toContainEqual(expect.stringMatching(/^no-orphan: main\/lab\/orphan\.ts -> /));
    expect(found).toContainEqual(expect.stringMatching(/^no-unresolvable: main\/lab\/lost\.ts -> /));
  });
});
