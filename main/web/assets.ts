/**
 * The built renderer as a closed set of files. The folder is listed once, at the start; a request is a look-up
 * in that list, so no path that a client can write leads outside it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

export interface Asset {
  readonly contentType: string;
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Assets by URL path, as `/assets/index.js`; the page itself is `/`. */
export type AssetSet = ReadonlyMap<string, Asset>;

/** Where `npm run build` leaves the renderer, seen from the compiled form of this file (dist/main/web). */
export function builtRendererFolder(): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'renderer');
}

/** @throws Error when the folder holds no built renderer. */
export async function listAssets(folder: string): Promise<AssetSet> {
  const assets = new Map<string, Asset>();
  for (const file of await listFiles(folder)) {
    const contentType = contentTypes[extname(file)];
    if (contentType === undefined) continue;
    const path = `/${relative(folder, file).split(sep).join('/')}`;
    assets.set(path, { contentType, read: async () => new Uint8Array(await readFile(file)) });
  }
  const page = assets.get('/index.html');
  if (page === undefined) {
    throw new Error(`${folder} holds no built renderer (index.html is missing); run "npm run build" first`);
  }
  return assets.set('/', page);
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
