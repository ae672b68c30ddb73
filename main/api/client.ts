/**
 * The renderer's side of the contract: typed requests and events over any transport. Every message from the
 * host is validated before anyone sees it; a message that does not fit is reported and dropped.
 */
import * as v from 'valibot';
import {
  commands,
  describeIssues,
  events,
  isEventName,
  serverMessageSchema,
  type CommandName,
  type CommandParams,
  type CommandResult,
  type EventData,
  type EventName,
} from './contract.ts';
import { parseJson } from './json.ts';
import type { Transport } from './transport.ts';

/** The host refused a command or could not do it; the message is fit for the user. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface ApiClient {
  /** @throws CommandError when the host refuses, answers nonsense, or the channel ends before the answer. */
  request<C extends CommandName>(command: C, params: CommandParams<C>): Promise<CommandResult<C>>;
  /** @returns a function that ends the listening. */
  on<E extends EventName>(event: E, listener: (data: EventData<E>) => void): () => void;
  close(): void;
}

export interface ApiClientOptions {
  onClose?(): void;
  /** Told of messages that break the contract. */
  onViolation?(message: string): void;
}

interface PendingRequest {
  readonly command: CommandName;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export function createApiClient(transport: Transport, options: ApiClientOptions = {}): ApiClient {
  const pending = new Map<number, PendingRequest>();
  const listeners = new Map<EventName, Set<(data: unknown) => void>>();
  let lastId = 0;
  let closed = false;

  const violation = (message: string): void => options.onViolation?.(message);

  const settle = (id: number, finish: (request: PendingRequest) => void): void => {
    const request = pending.get(id);
    if (request === undefined) return violation(`answer to unknown request ${id}`);
    pending.delete(id);
    finish(request);
  };

  const answer = (request: PendingRequest, raw: unknown): void => {
    const parsed = v.safeParse(commands[request.command].result, raw);
    if (parsed.success) return request.resolve(parsed.output);
    const message = `the host's answer to ${request.command} is malformed: ${describeIssues(parsed.issues)}`;
    violation(message);
    request.reject(new CommandError(message));
  };

  const publish = (event: string, raw: unknown): void => {
    if (!isEventName(event)) return violation(`unknown event ${event}`);
    const parsed = v.safeParse(events[event], raw);
    if (!parsed.success) return violation(`malformed event ${event}: ${describeIssues(parsed.issues)}`);
    for (const listener of listeners.get(event) ?? []) listener(parsed.output);
  };

  transport.onMessage((text) => {
    const message = v.safeParse(serverMessageSchema, parseJson(text));
    if (!message.success) return violation(`malformed message: ${describeIssues(message.issues)}`);
    const envelope = message.output;
    if (envelope.kind === 'event') return publish(envelope.event, envelope.data);
    if (envelope.kind === 'result') return settle(envelope.id, (request) => answer(request, envelope.result));
    settle(envelope.id, (request) => request.reject(new CommandError(envelope.message)));
  });

  transport.onClose(() => {
    closed = true;
    for (const request of pending.values())
      request.reject(new CommandError('The connection to the host ended.'));
    pending.clear();
    options.onClose?.();
  });

  function request<C extends CommandName>(command: C, params: CommandParams<C>): Promise<CommandResult<C>> {
    if (closed) return Promise.reject(new CommandError('There is no connection to the host.'));
    const id = ++lastId;
    return new Promise<CommandResult<C>>((resolve, reject) => {
      // `answer` has validated the result against this very command's schema.
      pending.set(id, { command, resolve: (result) => resolve(result as CommandResult<C>), reject });
      transport.send(JSON.stringify({ id, command, params }));
    });
  }

  function on<E extends EventName>(event: E, listener: (data: EventData<E>) => void): () => void {
    // `publish` has validated the data against this very event's schema.
    const untyped = (data: unknown): void => listener(data as EventData<E>);
    const set = listeners.get(event) ?? new Set();
    listeners.set(event, set.add(untyped));
    return () => set.delete(untyped);
  }

  return { request, on, close: () => transport.close() };
}
