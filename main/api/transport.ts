/**
 * A two-way channel of text messages between one renderer and its host: a WebSocket or Electron's IPC. Messages
 * arrive whole and in order; what they mean is the contract's affair.
 */
export interface Transport {
  /** Queues a message; does nothing after the channel has closed. */
  send(message: string): void;
  /** Sets the one listener of incoming messages. */
  onMessage(listener: (message: string) => void): void;
  /** Sets the one listener of the channel's end, by either side or by a fault. */
  onClose(listener: () => void): void;
  /** Bytes that `send` has taken and the other side has not been given yet. */
  buffered(): number;
  close(): void;
}
