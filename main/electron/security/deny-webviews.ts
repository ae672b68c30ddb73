/** The page embeds no other web contents (Electron security checklist, item 12). */
import type { WebContents } from 'electron';

export function denyWebviews(contents: WebContents): void {
  contents.on('will-attach-webview', (event) => event.preventDefault());
}
