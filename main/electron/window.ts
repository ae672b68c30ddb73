/** The application's window. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BrowserWindow, type WebContents } from 'electron';
import type { ApiServer } from '../api/server.ts';
import type { Transport } from '../api/transport.ts';
import { ipcTransport } from './ipc-transport.ts';
import { pageUrl } from './protocol.ts';
import { secureWebPreferences } from './security/web-preferences.ts';

const preload = join(dirname(fileURLToPath(import.meta.url)), 'preload.cjs');

/** Opens a window and connects its page to the lab, again after each reload. */
export function openWindow(api: ApiServer): BrowserWindow {
  const window = new BrowserWindow({
    title: 'Stackscope',
    width: 1360,
    height: 860,
    minWidth: 800,
    minHeight: 560,
    show: false,
    webPreferences: secureWebPreferences(preload),
  });
  window.once('ready-to-show', () => window.show());
  connectPages(window.webContents, api);
  void window.loadURL(pageUrl);
  return window;
}

/** Each page gets a connection of its own, made before its script runs; that of an earlier page ends with it. */
function connectPages(contents: WebContents, api: ApiServer): void {
  let transport: Transport | undefined;
  contents.on('did-start-navigation', (details) => {
    if (!details.isMainFrame || details.isSameDocument) return;
    transport?.close();
    transport = ipcTransport(contents);
    api.attach(transport);
  });
}
