/** Electron's IPC as a transport, by what the preload script exposes; it lives as long as the page. */
import type { Transport } from '../../main/api/transport.ts';

interface ExposedTransport {
  send(message: string): void;
  onMessage(listener: (message: string) => void): void;
}

declare global {
  interface Window {
    /** Present in the Electron shell only; see main/electron/preload.cts. */
    readonly stackscopeTransport?: ExposedTransport;
  }
}

export function electronTransport(exposed: ExposedTransport): Transport {
  return {
    send: (message) => exposed.send(message),
    onMessage: (listener) => exposed.onMessage(listener),
    onClose: () => undefined,
    buffered: () => 0,
    close: () => undefined,
  };
}
