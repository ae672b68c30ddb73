/** The window shows our page and no other (Electron security checklist, item 13). */
import type { WebContents } from 'electron';
import { isOwnPage } from '../protocol.ts';

export function denyNavigation(contents: WebContents): void {
  contents.on('will-frame-navigate', (event) => {
    if (!event.isMainFrame || !isOwnPage(event.url)) event.preventDefault();
  });
  contents.on('will-redirect', (event) => event.preventDefault());
}
