/**
 * The host's side of the contract: turns validated requests into calls of a `LabHost` and pushes its snapshots
 * and streams. One server serves any number of connections. A message that breaks the contract is answered with
 * an error that names the fault; it never reaches the host and never ends the connection.
 */
import * as v from 'valibot';
import { openConsoles, type ConsoleSet } from './console-set.ts';
import {
  commands,
  describeIssues,
  isCommandName,
  requestSchema,
  type CommandName,
  type CommandParams,
  type CommandResult,
  type EventData,
  type EventName,
  type MenuAction,
  type ServerMessage,
} from './contract.ts';
import { filterHandlers } from './filter-handlers.ts';
import { parseJson } from './json.ts';
import type { LabHost, Unsubscribe } from './lab-host.ts';
import type { PacketBatch } from './model.ts';
import type { Transport } from './transport.ts';

export interface ApiServerOptions {
  /** Milliseconds between two snapshots of the rates. */
  readonly ratesInterval?: number;
  /** Bytes waiting in a connection above which snapshots and packet batches are withheld. */
  readonly bufferLimit?: number;
}

export interface ApiServer {
  /** Serves one renderer until its transport closes. */
  attach(transport: Transport): void;
  /** Asks every connected renderer to do what its user chose in a native menu. */
  sendMenuAction(action: MenuAction): void;
  /** Closes every connection. */
  close(): void;
}

interface Connection {
  sendEvent<E extends EventName>(event: E, data: EventData<E>): void;
  /** False while the other side reads too slowly. */
  ready(): boolean;
  readonly consoles: ConsoleSet;
  unsubscribePackets: Unsubscribe;
  skippedPackets: number;
  /** The description this connection knows. */
  revision: number;
  readonly transport: Transport;
}

type Handlers = {
  readonly [C in CommandName]: (
    params: CommandParams<C>,
    connection: Connection,
  ) => CommandResult<C> | Promise<CommandResult<C>>;
};

export function createApiServer(host: LabHost, options: ApiServerOptions = {}): ApiServer {
  const ratesInterval = options.ratesInterval ?? 200;
  const bufferLimit = options.bufferLimit ?? 4 * 1024 * 1024;
  const connections = new Set<Connection>();
  const handlers = createHandlers(host);
  let timer: NodeJS.Timeout | undefined;

  async function run<C extends CommandName>(
    command: C,
    params: unknown,
    connection: Connection,
  ): Promise<unknown> {
    const parsed = v.safeParse(commands[command].params, params);
    if (!parsed.success) throw new Error(`${command}: ${describeIssues(parsed.issues)}`);
    return handlers[command](parsed.output, connection);
  }

  async function answer(text: string, connection: Connection): Promise<void> {
    const request = v.safeParse(requestSchema, parseJson(text));
    if (!request.success) {
      // The request's own id may be unreadable; 0 is never a request's.
      return send(connection, {
        kind: 'error',
        id: 0,
        message: `malformed request: ${describeIssues(request.issues)}`,
      });
    }
    const { id, command, params } = request.output;
    try {
      if (!isCommandName(command)) throw new Error(`there is no command "${command.slice(0, 80)}"`);
      send(connection, { kind: 'result', id, result: await run(command, params, connection) });
    } catch (error) {
      send(connection, {
        kind: 'error',
        id,
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }

  function sample(): void {
    const rates = host.rates();
    for (const connection of connections) {
      connection.consoles.flush();
      if (!connection.ready()) continue;
      if (connection.revision !== rates.revision) {
        const description = host.describe();
        connection.revision = description.revision;
        connection.sendEvent('lab.changed', description);
      }
      connection.sendEvent('rates', rates);
    }
  }

  function attach(transport: Transport): void {
    const ready = (): boolean => transport.buffered() <= bufferLimit;
    const sendEvent: Connection['sendEvent'] = (event, data) =>
      send(connection, { kind: 'event', event, data });
    const connection: Connection = {
      transport,
      ready,
      sendEvent,
      consoles: openConsoles(host, sendEvent, ready),
      unsubscribePackets: () => undefined,
      skippedPackets: 0,
      revision: -1,
    };
    connections.add(connection);
    timer ??= setInterval(sample, ratesInterval);
    transport.onMessage((text) => void answer(text, connection));
    transport.onClose(() => {
      connections.delete(connection);
      connection.unsubscribePackets();
      connection.consoles.closeAll();
      if (connections.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    });
  }

  return {
    attach,
    sendMenuAction: (action) => {
      for (const connection of connections) connection.sendEvent('menu.action', action);
    },
    close: () => {
      for (const connection of connections) connection.transport.close();
    },
  };
}

function createHandlers(host: LabHost): Handlers {
  const after = async (work: Promise<unknown>): Promise<null> => {
    await work;
    return null;
  };
  return {
    'lab.describe': (_params, connection) => {
      const description = host.describe();
      connection.revision = description.revision;
      return description;
    },
    'lab.start': () => after(host.start()),
    'lab.stop': () => after(host.stop()),
    'lab.restart': () => after(host.restart()),
    'lab.open': (lab) => host.openLab(lab),
    'lab.examples': () => host.examples(),
    'time.mode': ({ mode }) => after(host.setTimeMode(mode)),
    'time.control': ({ action }) => after(host.controlTime(action)),
    'packets.points': () => host.capturePoints(),
    'packets.subscribe': (filter, connection) => {
      const unsubscribe = host.subscribePackets(filter, (batch) => deliver(connection, batch));
      connection.unsubscribePackets();
      connection.unsubscribePackets = unsubscribe;
      return null;
    },
    'packets.unsubscribe': (_params, connection) => {
      connection.unsubscribePackets();
      connection.unsubscribePackets = () => undefined;
      return null;
    },
    'packets.get': ({ number, capture }) => host.packet(number, capture) ?? null,
    'packets.clear': () => {
      host.clearPackets();
      return null;
    },
    'packets.export': ({ points, filter }) => host.exportPackets(points, filter),
    'journeys.follow': ({ choice }) => {
      host.followPackets(choice ?? undefined);
      return null;
    },
    'journeys.get': ({ number, capture }) => host.journey(number, capture) ?? null,
    'captures.open': ({ name, data }) => host.openCapture(name, Buffer.from(data, 'base64')),
    'captures.list': ({ capture, from, count }) => host.captureSummaries(capture, from, count),
    'captures.close': ({ capture }) => {
      host.closeCapture(capture);
      return null;
    },
    'console.open': ({ node, columns, rows }, connection) => ({
      console: connection.consoles.open(node, { columns, rows }),
    }),
    'console.write': ({ console: id, text }, connection) => {
      connection.consoles.get(id).write(text);
      return null;
    },
    'console.resize': ({ console: id, columns, rows }, connection) => {
      connection.consoles.get(id).resize({ columns, rows });
      return null;
    },
    'console.close': ({ console: id }, connection) => {
      connection.consoles.close(id);
      return null;
    },
    'log.read': ({ node }) => host.log(node),
    ...filterHandlers(host),
  };
}

function deliver(connection: Connection, batch: PacketBatch): void {
  if (!connection.ready()) {
    connection.skippedPackets += batch.packets.length;
    return;
  }
  connection.sendEvent('packets', { ...batch, skipped: connection.skippedPackets });
}

function send(connection: Connection, message: ServerMessage): void {
  connection.transport.send(JSON.stringify(message));
}
