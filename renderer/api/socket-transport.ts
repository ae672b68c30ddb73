/** The web host's WebSocket as a transport; the cookie that the page came with proves who is asking. */
import type { Transport } from '../../main/api/transport.ts';

/** @throws Error when the host cannot be reached. */
export function connectSocket(): Promise<Transport> {
  const url = new URL('/socket', location.href);
  url.protocol = 'ws:';
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(toTransport(socket)), { once: true });
    socket.addEventListener('error', () => reject(new Error('The host does not answer.')), { once: true });
  });
}

function toTransport(socket: WebSocket): Transport {
  return {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
    },
    onMessage: (listener) =>
      socket.addEventListener('message', (event: MessageEvent<unknown>) => {
        if (typeof event.data === 'string') listener(event.data);
      }),
    onClose: (listener) => socket.addEventListener('close', () => listener(), { once: true }),
    buffered: () => socket.bufferedAmount,
    close: () => socket.close(),
  };
}
