/**
 * A connection to the host that comes back by itself: listeners are registered once and outlive the connections
 * beneath them. Whoever keeps state of the host's asks again in `onOpen`.
 */
import { CommandError, createApiClient, type ApiClient } from '../../main/api/client.ts';
import type {
  CommandName,
  CommandParams,
  CommandResult,
  EventData,
  EventName,
} from '../../main/api/contract.ts';
import type { Transport } from '../../main/api/transport.ts';

/** Milliseconds before each attempt to reconnect; the last one repeats. */
const retryDelays = [250, 500, 1_000, 2_000, 5_000];

export interface Session {
  request<C extends CommandName>(command: C, params: CommandParams<C>): Promise<CommandResult<C>>;
  on<E extends EventName>(event: E, listener: (data: EventData<E>) => void): void;
  /** Called after every successful connection, the first included. */
  onOpen(listener: () => void): void;
  /** Called when a connection ends that had been open. */
  onLost(listener: () => void): void;
  start(): void;
}

export function createSession(connect: () => Promise<Transport>): Session {
  const openListeners: (() => void)[] = [];
  const lostListeners: (() => void)[] = [];
  const subscriptions: ((client: ApiClient) => void)[] = [];
  let client: ApiClient | undefined;
  let attempts = 0;

  const retry = (): void => {
    const delay = retryDelays[Math.min(attempts++, retryDelays.length - 1)];
    setTimeout(() => void open(), delay);
  };

  const lost = (): void => {
    client = undefined;
    for (const listener of lostListeners) listener();
    retry();
  };

  async function open(): Promise<void> {
    try {
      const transport = await connect();
      attempts = 0;
      client = createApiClient(transport, {
        onClose: lost,
        onViolation: (message) => console.warn(`Stackscope: ${message}`),
      });
    } catch {
      return retry();
    }
    for (const subscribe of subscriptions) subscribe(client);
    for (const listener of openListeners) listener();
  }

  return {
    request: (command, params) =>
      client === undefined
        ? Promise.reject(new CommandError('There is no connection to the host.'))
        : client.request(command, params),
    on: (event, listener) => {
      const subscribe = (to: ApiClient): void => void to.on(event, listener);
      subscriptions.push(subscribe);
      if (client !== undefined) subscribe(client);
    },
    onOpen: (listener) => {
      openListeners.push(listener);
      if (client !== undefined) listener();
    },
    onLost: (listener) => void lostListeners.push(listener),
    start: () => void open(),
  };
}
