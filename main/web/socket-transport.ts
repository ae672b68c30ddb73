/** A WebSocket (RFC 6455) as a transport of the contract. */
import type { WebSocket } from 'ws';
import type { Transport } from '../api/transport.ts';

export function socketTransport(socket: WebSocket): Transport {
  return {
    send: (message) => {
      if (socket.readyState === socket.OPEN) socket.send(message);
    },
    onMessage: (listener) => {
      socket.on('message', (data, isBinary) => {
        // The contract is text; a binary frame is no message of it.
        if (!isBinary && data instanceof Buffer) listener(data.toString());
      });
    },
    onClose: (listener) => {
      socket.on('close', listener);
      // An oversized or malformed frame: ws closes the socket itself, `close` follows.
      socket.on('error', () => undefined);
    },
    buffered: () => socket.bufferedAmount,
    close: () => socket.close(),
  };
}
