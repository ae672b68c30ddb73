/** Opens an address in the user's browser where there is one; never fails, since the address is printed too. */
import { spawn } from 'node:child_process';

/**
 * $BROWSER first, as on every Unix; then what the system offers. On Linux and the BSDs nothing can be shown
 * without a display.
 */
function browserCommand(url: string): readonly [string, readonly string[]] | undefined {
  const { BROWSER, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (BROWSER !== undefined && BROWSER !== '') return [BROWSER, [url]];
  if (process.platform === 'darwin') return ['open', [url]];
  if (process.platform === 'win32') return ['rundll32', ['url.dll,FileProtocolHandler', url]];
  return DISPLAY === undefined && WAYLAND_DISPLAY === undefined ? undefined : ['xdg-open', [url]];
}

/** @returns whether a browser was started. */
export function openBrowser(url: string): Promise<boolean> {
  const command = browserCommand(url);
  if (command === undefined) return Promise.resolve(false);
  const child = spawn(command[0], command[1], { stdio: 'ignore', detached: true });
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
