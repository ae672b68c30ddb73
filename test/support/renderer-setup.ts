// Builds the renderer for the end-to-end tests when its output is older than what it is made from.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';

const repository = join(import.meta.dirname, '../..');

function newestBelow(folder: string): number {
  const files = readdirSync(join(repository, folder), { recursive: true, withFileTypes: true });
  return Math.max(
    0,
    ...files.filter((e) => e.isFile()).map((e) => statSync(join(e.parentPath, e.name)).mtimeMs),
  );
}

export async function setup(): Promise<void> {
  const configFile = join(repository, 'vite.config.ts');
  const page = join(repository, 'dist/renderer/index.html');
  const newest = Math.max(newestBelow('renderer'), newestBelow('main/api'));
  if (existsSync(page) && statSync(page).mtimeMs >= newest) return;
  await build({ configFile, logLevel: 'warn' });
}
