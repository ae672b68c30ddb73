/**
 * Electron's IPC as a transport of the contract. A message counts only if it is text from the main frame of our
 * own window, showing our own page; anything else is dropped (Electron security checklist, item 17).
 */
import { ipcMain, type IpcMainEvent, type WebContents } from 'electron';
import type { Transport } from '../api/transport.ts';
import { isOwnPage } from './protocol.ts';

const channel = 'stackscope:message';

/** The transport to the page of `contents`; it ends when the page's process or the window does, or by `close`. */
export function ipcTransport(contents: WebContents): Transport {
  let messageListener: (message: string) => void = () => undefined;
  let closeListener: () => void = () => undefined;
  let open = true;

  const receive = (event: IpcMainEvent, message: unknown): void => {
    if (event.sender !== contents || event.senderFrame !== contents.mainFrame) return;
    if (!isOwnPage(event.senderFrame.url) || typeof message !== 'string') return;
    messageListener(message);
  };
  const close = (): void => {
    if (!open) return;
    open = false;
    ipcMain.off(channel, receive);
    closeListener();
  };

  ipcMain.on(channel, receive);
  contents.once('render-process-gone', close);
  contents.once('destroyed', close);

  return {
    send: (message) => {
      if (open && !contents.isDestroyed()) contents.send(channel, message);
    },
    onMessage: (listener) => {
      messageListener = listener;
    },
    onClose: (listener) => {
      closeListener = listener;
    },
    // Electron hands a message to the renderer's process at once and tells nobody how many wait there.
    buffered: () => 0,
    close,
  };
}
