/**
 * A connection of a node as a Node.js stream: what lets Node's own http client and server (and anything else that takes a Duplex) run on a lab
 * node unchanged. It has the part of net.Socket that those use. Time-outs run on the lab's clock.
 */
import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import type { Process } from '../kernel/process.ts';
import {
  AF_INET,
  IPPROTO_TCP,
  SHUT_WR,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_KEEPALIVE,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from '../runtime/messages/request.ts';
import { refreshNow } from '../runtime/clock.ts';
import { sleepNs } from '../runtime/timers.ts';
import { inetNtoa } from './inet.ts';
import * as libsocket from './libsocket.ts';
import type { SockaddrIn } from './libsocket.ts';
import { UnknownHostError, hostByName } from './netdb.ts';

type Done = (error?: Error | null) => void;

/** An end as net.Socket.address() gives it. */
export interface EndPoint {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4';
}

const MS = 1e6;

function endPoint({ address, port }: SockaddrIn): EndPoint {
  return { address: inetNtoa(address), port, family: 'IPv4' };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Who connects where: the part of net.connect()'s options that applies. */
export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
}

/** A stream socket of `proc` as a Duplex. Destroying it closes the descriptor. */
export class SocketDuplex extends Duplex {
  readonly #proc: Process;
  #fd = -1;
  #local: EndPoint | undefined;
  #remote: EndPoint | undefined;
  #lastActive = 0;
  #idleTimer: AbortController | undefined;
  connecting = false;
  bytesRead = 0;
  bytesWritten = 0;
  /** Time-out in ms as set, 0 for none. */
  timeout = 0;

  /** @param accepted a connected descriptor and its two ends; without, `connect` makes one */
  constructor(proc: Process, accepted?: { fd: number; local: SockaddrIn; remote: SockaddrIn }) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: libsocket.MESSAGE_BYTES,
      writableHighWaterMark: 65_536,
    });
    this.#proc = proc;
    if (accepted === undefined) return;
    this.#fd = accepted.fd;
    this.#local = endPoint(accepted.local);
    this.#remote = endPoint(accepted.remote);
  }

  get localAddress(): string | undefined {
    return this.#local?.address;
  }
  get localPort(): number | undefined {
    return this.#local?.port;
  }
  get remoteAddress(): string | undefined {
    return this.#remote?.address;
  }
  get remotePort(): number | undefined {
    return this.#remote?.port;
  }
  get remoteFamily(): string | undefined {
    return this.#remote?.family;
  }
  get pending(): boolean {
    return this.#fd < 0 || this.connecting;
  }
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** Starts to connect to a host by name or dotted quad; emits `connect`, or `error` with the errno's name as `code`. */
  connect(options: ConnectOptions, onConnect?: () => void): this {
    if (onConnect !== undefined) this.once('connect', onConnect);
    this.connecting = true;
    this.#open(options).then(
      () => {
        this.connecting = false;
        if (this.destroyed) return;
        this.#touch();
        this.emit('connect');
        this.emit('ready');
      },
      (error: unknown) => this.destroy(asError(error)),
    );
    return this;
  }

  async #open({ host, port }: ConnectOptions): Promise<void> {
    const proc = this.#proc;
    const address = await hostByName(proc, host);
    if (address === undefined) throw new UnknownHostError(host);
    const fd = await libsocket.socket(proc, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (this.destroyed) return libsocket.close(proc, fd);
    this.#fd = fd;
    await libsocket.connect(proc, fd, { address, port });
    this.#local = endPoint(await libsocket.getsockname(proc, fd));
    this.#remote = endPoint({ address, port });
  }

  /** Runs `work` now, or once the connection is made. */
  #whenConnected(work: () => void): void {
    if (this.connecting) this.once('connect', work);
    else work();
  }

  override _read(size: number): void {
    this.#whenConnected(() => void this.#receive(Math.max(size, libsocket.MESSAGE_BYTES)));
  }

  async #receive(size: number): Promise<void> {
    try {
      const data = await libsocket.recv(this.#proc, this.#fd, size);
      this.#touch();
      this.bytesRead += data.length;
      this.push(data.length === 0 ? null : data);
    } catch (error) {
      this.destroy(asError(error));
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#whenConnected(() => void this.#send(chunk, done));
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    const all = Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.#whenConnected(() => void this.#send(all, done));
  }

  async #send(data: Buffer, done: Done): Promise<void> {
    try {
      await libsocket.send(this.#proc, this.#fd, data);
      this.#touch();
      this.bytesWritten += data.length;
      done();
    } catch (error) {
      done(asError(error));
    }
  }

  override _final(done: Done): void {
    this.#whenConnected(() => {
      libsocket.shutdown(this.#proc, this.#fd, SHUT_WR).then(
        () => done(),
        // The peer may have reset the connection already: then there is nothing left to end.
        () => done(),
      );
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#stopIdleTimer();
    this.connecting = false;
    const fd = this.#fd;
    this.#fd = -1;
    if (fd < 0) {
      done(error);
      return;
    }
    libsocket.close(this.#proc, fd).then(
      () => done(error),
      () => done(error),
    );
  }

  /** Ends the writing side and destroys the stream when all has been sent: what http servers call after a last response. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Emits `timeout` after `ms` of lab time without traffic; 0 ends that. */
  setTimeout(ms: number, onTimeout?: () => void): this {
    this.timeout = ms;
    if (onTimeout !== undefined) {
      if (ms === 0) this.off('timeout', onTimeout);
      else this.once('timeout', onTimeout);
    }
    this.#stopIdleTimer();
    this.#touch();
    return this;
  }

  /** Something moved: the idle time starts again. */
  #touch(): void {
    this.#lastActive = refreshNow();
    if (this.timeout > 0 && this.#idleTimer === undefined && !this.destroyed) void this.#watchIdle();
  }

  #stopIdleTimer(): void {
    this.#idleTimer?.abort();
    this.#idleTimer = undefined;
  }

  /** ns. */
  #idleTimeLeft(): number {
    return this.#lastActive + this.timeout * MS - refreshNow();
  }

  /** One timer at a time; when it rings it sleeps again for what activity since has put off. */
  async #watchIdle(): Promise<void> {
    const timer = new AbortController();
    this.#idleTimer = timer;
    try {
      for (let left = this.timeout * MS; left > 0; left = this.#idleTimeLeft()) {
        await sleepNs(left, timer.signal);
        if (timer.signal.aborted) return;
      }
    } catch {
      // Stopped: the time-out was changed or the connection is gone.
      return;
    }
    if (this.#idleTimer !== timer) return;
    this.#idleTimer = undefined;
    this.emit('timeout');
  }

  setNoDelay(on = true): this {
    return this.#setOption(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  /** @param delay ms of silence before the first probe; 0 leaves the stack's value */
  setKeepAlive(on = false, delay = 0): this {
    if (on && delay >= 1000) this.#setOption(IPPROTO_TCP, TCP_KEEPIDLE, Math.floor(delay / 1000));
    return this.#setOption(SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
  }

  #setOption(level: number, option: number, value: number): this {
    this.#whenConnected(() => {
      if (this.#fd < 0) return;
      // As with net.Socket, an option that cannot be set is not worth losing the connection for.
      libsocket.setsockopt(this.#proc, this.#fd, level, option, value).catch(() => undefined);
    });
    return this;
  }

  address(): EndPoint | Record<string, never> {
    return this.#local ?? {};
  }

  /** A process of the lab lives as long as its program runs, not as long as it has sockets: nothing to count. */
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
