/**
 * Ctrl-C: the first one asks a verb to stop cleanly, the second one ends the program at once. SIGTERM counts as Ctrl-C.
 */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interruption {
  /** Aborts at the first Ctrl-C, or when the reader of standard output has gone. */
  readonly signal: AbortSignal;
  /** Resolves when `signal` aborts. */
  readonly requested: Promise<void>;
  /** Does what Ctrl-C does. */
  request(): void;
  /** Leaves signals to their default again. */
  dispose(): void;
}

/** Watches for Ctrl-C from now on. */
export function watchInterrupts(): Interruption {
  const controller = new AbortController();
  const { signal } = controller;
  const onSignal = (name: NodeJS.Signals): void => {
    if (signal.aborted) process.exit(128 + constants.signals[name]);
    controller.abort();
  };
  const request = (): void => onSignal('SIGINT');
  const onOutputError = (): void => controller.abort();
  for (const name of SIGNALS) process.on(name, onSignal);
  process.stdout.on('error', onOutputError);
  return {
    signal,
    requested: new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    request,
    dispose() {
      for (const name of SIGNALS) process.off(name, onSignal);
      process.stdout.off('error', onOutputError);
    },
  };
}
