/** Two ends of a transport in one process, with a buffer whose filling the test decides. */
import type { Transport } from '../../../main/api/transport.ts';

export interface TransportPair {
  readonly host: Transport;
  readonly renderer: Transport;
  /** What `host.buffered()` reports. */
  setBuffered(bytes: number): void;
}

export function createTransportPair(): TransportPair {
  let bufferedBytes = 0;
  const ends = [makeEnd(), makeEnd()] as const;
  let open = true;

  function makeEnd() {
    return { message: (_text: string): void => undefined, closed: (): void => undefined };
  }
  function close(): void {
    if (!open) return;
    open = false;
    for (const end of ends) end.closed();
  }
  const transport = (own: (typeof ends)[number], other: (typeof ends)[number]): Transport => ({
    send: (message) => {
      if (open) queueMicrotask(() => other.message(message));
    },
    onMessage: (listener) => {
      own.message = listener;
    },
    onClose: (listener) => {
      own.closed = listener;
    },
    buffered: () => bufferedBytes,
    close,
  });
  return {
    host: transport(ends[0], ends[1]),
    renderer: transport(ends[1], ends[0]),
    setBuffered: (bytes) => {
      bufferedBytes = bytes;
    },
  };
}
