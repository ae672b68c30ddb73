/** The packaging configuration, judged by electron-builder's own validator and by what the build makes. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { getConfig, validateConfiguration } from 'app-builder-lib/out/util/config/config.js';
import { DebugLogger } from 'builder-util';
import { describe, expect, it } from 'vitest';
import viteConfig from '../../vite.config.ts';

const repository = join(import.meta.dirname, '..', '..');
const load = () => getConfig(repository, 'electron-builder.yml', null);

function manifest(): { readonly main: string; readonly license: string } {
  return JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as ReturnType<typeof manifest>;
}

describe('electron-builder.yml', () => {
  it('is a configuration that electron-builder accepts', async () => {
    await expect(validateConfiguration(await load(), new DebugLogger(false))).resolves.toBeUndefined();
  });

  it('would be refused with an option that does not exist', async () => {
    const config = { ...(await load()), asarUnpackTypo: true };
    await expect(validateConfiguration(config, new DebugLogger(false))).rejects.toThrow(/asarUnpackTypo/);
  });

  it('packs what the build makes and nothing that is not there', async () => {
    const { files } = await load();
    const patterns = [files ?? []]
      .flat()
      .flatMap((set) => (typeof set === 'string' ? set : (set.filter ?? [])));
    const included = patterns.filter((pattern) => !pattern.startsWith('!'));
    const folders = included.map((pattern) => pattern.replace('/**/*', ''));
    const renderer = relative(repository, viteConfig.build?.outDir ?? '');
    expect(folders).toContain(renderer);
    for (const folder of folders.filter((candidate) => candidate !== renderer)) {
      expect(existsSync(join(repository, folder)), folder).toBe(true);
    }
    expect(folders.some((folder) => manifest().main.startsWith(`${folder}/`))).toBe(true);
  });

  it('keeps native libraries outside the archive, compiles none, and targets all three systems', async () => {
    const config = await load();
    expect(config).toMatchObject({ npmRebuild: false, asarUnpack: ['**/*.node'] });
    expect(config.linux?.target).toEqual(['AppImage', 'deb']);
    expect(config.mac?.target).toBeDefined();
    expect(config.win?.target).toBeDefined();
    expect(manifest().license).toBe('Apache-2.0');
  });
});
