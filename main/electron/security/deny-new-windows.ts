/** The page opens no windows (Electron security checklist, item 14). */
import type { WebContents } from 'electron';

export function denyNewWindows(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}
