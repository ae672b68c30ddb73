/**
 * The scheme `app://` that serves the built renderer to the window instead of file://, with the same closed set
 * of files and the same headers as the web host (Electron security checklist, items 7 and 18).
 */
import { protocol } from 'electron';
import type { AssetSet } from '../web/assets.ts';
import { securityHeaders } from '../web/security-headers.ts';

const scheme = 'app';
const origin = `${scheme}://stackscope`;

export const pageUrl = `${origin}/`;

export function isOwnPage(url: string): boolean {
  return url === pageUrl || url.startsWith(`${pageUrl}#`);
}

/** Shall be called before Electron is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/** Shall be called once Electron is ready. */
export function serveAssets(assets: AssetSet): void {
  protocol.handle(scheme, async (request) => {
    const url = new URL(request.url);
    const asset = url.host === 'stackscope' ? assets.get(url.pathname) : undefined;
    if (asset === undefined) return new Response('There is no such file.', { status: 404 });
    return new Response(await asset.read(), {
      headers: { ...securityHeaders, 'Content-Type': asset.contentType },
    });
  });
}
