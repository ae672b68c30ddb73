/**
 * Opens TAPs from thread 0 and gives each a thread of its own. A TAP is either a *port* of the lab, an end of a link to the host, or the far side of an
 * interface of the driver devnp-tap. Only this file and the TAP's thread reach the system calls.
 */
import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { breakLock, lock, unlock } from '../../stack/memory/lock.ts';
import { reclaimMagazines } from '../../stack/memory/mbuf.ts';
import { memory } from '../../stack/memory/memory.ts';
import { isVirtual } from '../../stack/runtime/clock.ts';
import { HANDLER, KIND, freeSource, newSource, sourceIsIdle } from '../../stack/runtime/source.ts';
import { sleepNs } from '../../stack/runtime/timers.ts';
import { ifnetStruct, ifnets } from '../../stack/net/ifnet.ts';
import { freePlug, newPlug, plugs } from '../../stack/net/plug.ts';
import { FIRST_TAP_THREAD, TAP_THREADS, setTapPlug, stopTap, takeDescriptors, tapDevices } from './device.ts';
import type { TapDevice } from './device.ts';
import type { HostInterface } from './host-interface.ts';
import { TapError, checkWish } from './tap-error.ts';
import type { TapWish } from './tap-error.ts';

export interface TapOptions extends TapWish {
  /** Number of its thread: FIRST_TAP_THREAD and up, one for each open TAP. */
  readonly thread: number;
  /** Worker to whose run queue the TAP's event source belongs. */
  readonly home: number;
}

/** Counters since the TAP was opened; `received` is what came from the host. */
export interface TapStatistics {
  readonly received: number;
  readonly receivedBytes: number;
  /** From the host, but the link or the card was full, absent or switched off. */
  readonly receiveDrops: number;
  readonly noBuffers: number;
  /** Longer than 10237 bytes. */
  readonly tooLong: number;
  readonly sent: number;
  readonly sentBytes: number;
  /** Not taken by the host: its interface is down. */
  readonly sendErrors: number;
  /** How often the thread was woken. */
  readonly wakeups: number;
}

/** An open TAP. */
export interface TapHandle {
  readonly name: string;
  /** Hardware address of the host's side, as text. */
  readonly mac: string;
  /** True while frames pass. */
  carrier(): boolean;
  statistics(): TapStatistics;
  /** Resolves with the reason when its thread has ended: it was closed, its interface destroyed, or the host's interface deleted. */
  readonly ended: Promise<string>;
  /** Ends the thread, closes the TAP and frees its record. A TAP that did not exist before is gone from the host then. */
  close(): Promise<void>;
}

/** A TAP as an end of a link. */
export interface TapPort extends TapHandle {
  /** Address of its plug. Whoever puts it on a link or takes it off does so in whileTapsHeld(); close() frees it: take it off before. */
  readonly plug: number;
}

/** A TAP for an interface of devnp-tap: give `device` to attachTap(). */
export interface TapCard extends TapHandle {
  readonly device: number;
}

const PRIORITY = 21;
const IDLE_ROUNDS = 100;
const IDLE_WAIT_NS = 1e6;

/** Devices whose thread runs. */
const running = new Set<TapDevice>();

/** A process that exits joins its threads: one that sleeps in poll(2) has to be told. */
function stopAll(): void {
  for (const device of running) stopTap(device);
}

/** The built worker, also when this file runs as TypeScript (tests): Node 20 starts no TypeScript. */
function workerFile(): URL {
  const here = import.meta.url;
  return here.endsWith('.ts')
    ? new URL('../../dist/drivers/devnp-tap/worker.js', here)
    : new URL('./worker.js', here);
}

function newDevice(host: HostInterface, home: number): TapDevice | undefined {
  const ptr = tapDevices.alloc();
  if (ptr === 0) return undefined;
  const device = tapDevices.get(ptr);
  device.descriptor = host.descriptor;
  device.wakeup = host.wakeup;
  const kind = KIND.hardware;
  device.source = newSource({ kind, handler: HANDLER.tap, arg: ptr, stack: 0, home, priority: PRIORITY });
  if (device.source !== 0) return device;
  tapDevices.free(ptr);
  return undefined;
}

/** Frees the record and its source once nobody is about to service that. */
async function freeDevice(device: TapDevice): Promise<void> {
  // A pool that has been stopped services nothing any more and forgets what was queued.
  for (let n = 0; n < IDLE_ROUNDS && !sourceIsIdle(device.source) && !isVirtual(); n++)
    await sleepNs(IDLE_WAIT_NS);
  freeSource(device.source);
  tapDevices.free(device.ptr);
}

/** After the thread has ended: closes what it used, takes back the buffers it kept, and drops the carrier. */
function bury(device: TapDevice, thread: number): void {
  running.delete(device);
  if (running.size === 0) process.off('exit', stopAll);
  breakLock(device.ptr, thread);
  takeDescriptors(device).forEach((descriptor) => closeSync(descriptor));
  reclaimMagazines(thread);
  if (device.isLink === 0 && device.plug !== 0) plugs.get(device.plug).up = 0;
}

interface Thread {
  readonly ready: Promise<void>;
  readonly ended: Promise<string>;
}

const threadsInUse = new Set<number>();

function startThread(device: TapDevice, { name, thread }: TapOptions): Thread {
  const worker = new Worker(workerFile(), {
    name: `tap ${name}`,
    // What the process was started with, such as a script on its command line, is not for the thread.
    execArgv: [],
    workerData: { stackscope: { memory, thread }, device: device.ptr },
  });
  if (running.size === 0) process.on('exit', stopAll);
  running.add(device);
  let fault: Error | undefined;
  worker.on('error', (error: Error) => (fault = error));
  const ended = new Promise<string>((resolve) => {
    worker.once('exit', () => {
      bury(device, thread);
      threadsInUse.delete(thread);
      if (fault !== undefined) resolve(`the thread of ${name} failed: ${fault.message}`);
      else if (device.failure !== 0) resolve(`${name} was deleted on the host (errno ${device.failure})`);
      else resolve(`${name} was closed`);
    });
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    void ended.then((reason) => reject(new Error(reason)));
  });
  return { ready, ended };
}

function statisticsOf(device: TapDevice): TapStatistics {
  const { received, receivedBytes, receiveDrops, noBuffers, tooLong, sent, sentBytes, sendErrors, wakeups } =
    device;
  return { received, receivedBytes, receiveDrops, noBuffers, tooLong, sent, sentBytes, sendErrors, wakeups };
}

interface Opened {
  readonly device: TapDevice;
  readonly handle: TapHandle;
}

/** A thread number that no TAP uses; the last one when all are in use, which openTap() then refuses. */
export function freeTapThread(): number {
  let thread = FIRST_TAP_THREAD;
  while (threadsInUse.has(thread) && thread < FIRST_TAP_THREAD + TAP_THREADS) thread++;
  return thread;
}

/** Takes a thread number for a TAP, until its thread has ended. */
function reserveThread({ name, thread }: TapOptions): void {
  if (thread >= FIRST_TAP_THREAD + TAP_THREADS) {
    throw new TapError(`TAP ${name}: at most ${TAP_THREADS} TAPs can be open at a time`);
  }
  if (thread < FIRST_TAP_THREAD || threadsInUse.has(thread)) {
    throw new Error(`TAP ${name}: thread ${thread} is not free for a TAP`);
  }
  threadsInUse.add(thread);
}

/** Opens the host's side and makes the record. */
async function openDevice(options: TapOptions): Promise<{ device: TapDevice; mac: string }> {
  // Only here is the library for system calls loaded.
  const { openHostInterface } = await import('./host-interface.ts');
  const host = openHostInterface(options);
  const device = newDevice(host, options.home);
  if (device !== undefined) return { device, mac: host.mac };
  closeSync(host.descriptor);
  closeSync(host.wakeup);
  throw new Error(`TAP ${options.name}: no room for another one (ENOBUFS)`);
}

/** What a user of an open TAP holds. `release` is called when it is closed, after the thread has ended. */
function handleOf(
  device: TapDevice,
  mac: string,
  name: string,
  ended: Promise<string>,
  release: (device: TapDevice) => void,
): TapHandle {
  let closing: Promise<void> | undefined;
  let atTheEnd: TapStatistics | undefined;
  async function shutDown(): Promise<void> {
    stopTap(device);
    await ended;
    atTheEnd = statisticsOf(device);
    release(device);
    await freeDevice(device);
  }
  return {
    name,
    mac,
    carrier: () => running.has(device),
    statistics: () => atTheEnd ?? statisticsOf(device),
    ended,
    close: () => (closing ??= shutDown()),
  };
}

/** Opens a TAP and starts its thread; `prepare` is called in between. */
async function open(
  options: TapOptions,
  prepare: (device: TapDevice) => void,
  release: (device: TapDevice) => void,
): Promise<Opened> {
  checkWish(options);
  reserveThread(options);
  const { device, mac } = await openDevice(options).catch((error: unknown) => {
    threadsInUse.delete(options.thread);
    throw error;
  });
  prepare(device);
  const { ready, ended } = startThread(device, options);
  const handle = handleOf(device, mac, options.name, ended, release);
  try {
    await ready;
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { device, handle };
}

/**
 * Opens a TAP as an end of a link. Its plug is switched on and in no link yet.
 *
 * @throws TapError that says what is missing and how to get it.
 */
export async function openTap(options: TapOptions): Promise<TapPort> {
  const ptr = newPlug();
  if (ptr === 0) throw new Error(`TAP ${options.name}: no room for another plug (ENOBUFS)`);
  const plug = plugs.get(ptr);
  let released = false;
  const release = (): void => {
    released = true;
    freePlug(plug);
  };
  const prepare = (device: TapDevice): void => {
    device.plug = ptr;
    plug.device = device.source;
    plug.up = 1;
  };
  try {
    const { handle } = await open(options, prepare, release);
    return { ...handle, plug: ptr };
  } catch (error) {
    if (!released) freePlug(plug);
    throw error;
  }
}

/** Takes a TAP from its interface, which stays behind without a cable. */
function leaveInterface(device: TapDevice): void {
  if (device.interface === 0) return;
  const ifp = ifnets.get(device.interface);
  // Whoever sends on the interface holds this lock.
  lock(ifp.ptr + ifnetStruct.offsets.txLock);
  plugs.get(ifp.softc).link = 0;
  unlock(ifp.ptr + ifnetStruct.offsets.txLock);
  device.interface = 0;
  setTapPlug(device, 0);
}

/**
 * Opens a TAP for an interface of devnp-tap. Frames of the host are dropped until attachTap() has been given its `device`. When its interface is
 * destroyed it closes itself.
 *
 * @throws TapError that says what is missing and how to get it.
 */
export async function openTapCard(options: TapOptions): Promise<TapCard> {
  const prepare = (device: TapDevice): void => {
    device.isLink = 1;
  };
  const { device, handle } = await open(options, prepare, leaveInterface);
  void handle.ended.then(handle.close);
  return { ...handle, device: device.ptr };
}
