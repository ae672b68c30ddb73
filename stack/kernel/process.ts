/**
 * Processes of a node: a program (an asynchronous function) with arguments, environment, working directory, standard streams and descriptors.
 * They are light: all run in the thread that owns the memory and wait on messages, timers and each other only.
 */
import { refreshNow } from '../runtime/clock.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { emptySource, nullSink } from './byte-stream.ts';
import type { ByteSink, ByteSource } from './byte-stream.ts';
import { endMessaging } from './channel.ts';
import { createDescriptorTable } from './descriptors.ts';
import { createMessaging } from './party.ts';
import type { Domain, Party, RemoteNode } from './party.ts';
import type { PathSpace } from './path-space.ts';
import { SLOG } from '../runtime/messages/severity.ts';
import type { SystemLog } from './syslog.ts';

/** Signals that end a process; the numbers are POSIX's. */
export const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 } as const;
export type SignalName = keyof typeof SIGNALS;

/** Exit status of a process that a signal ended, as shells report it: 128 and the signal's number. */
export function signalStatus(signal: SignalName): number {
  return 128 + SIGNALS[signal];
}

/** A program: resolves to its exit status. Every wait in it shall react to `self.signal`. */
export type Program = (self: Process) => Promise<number>;

export interface Process extends Party {
  readonly ppid: number;
  /** Name of the program, as pidin and slay use it. */
  readonly name: string;
  readonly node: LabNode;
  /** argv[0] is the program's name. */
  readonly argv: readonly string[];
  readonly env: Map<string, string>;
  /** Working directory, absolute. */
  cwd: string;
  readonly stdin: ByteSource;
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
  /** ns of the lab's clock. */
  readonly started: number;
  /** The signal that the process was told to end with. */
  readonly killedBy: SignalName | undefined;
  /** The exit status. Never rejects; its descriptors are closed by then. */
  readonly exited: Promise<number>;
  /**
   * Tells the process to end: its `signal` aborts and its waits give up. SIGKILL, or a second signal, ends it at once,
   * whatever it does.
   */
  kill(signal?: SignalName): void;
}

/** The stack of a node that is registered at a prefix. */
export interface StackPort {
  /** Address of the io-pkt instance's record. */
  readonly address: number;
  /** N of `-iN`; 0 without. */
  readonly instance: number;
  /** '' or '/alt'. */
  readonly prefix: string;
  /** io-pkt-v4, io-pkt-v4-hc or io-pkt-v6-hc. */
  readonly variant: string;
}

/** A node of the lab, as its programs see it. */
export interface LabNode extends Domain {
  readonly name: string;
  /** Environment that programs start with. */
  readonly env: Map<string, string>;
  readonly paths: PathSpace;
  readonly processes: ProcessTable;
  readonly log: SystemLog;
  /** Stacks by prefix; '' is the one that programs use by default. */
  readonly stacks: Map<string, StackPort>;
  /** Other nodes by node descriptor, entered by a network manager (Qnet). */
  readonly remoteNodes: Map<number, RemoteNode>;
  /** Command lines typed on this node, oldest first: all its consoles share them. */
  readonly history: string[];
  /** The next number in [0, 1) of the node's own generator. */
  random(): number;
  /** Ends all processes and gives the node's memory back. */
  shutdown(): Promise<void>;
}

export interface ProcessTable {
  get(pid: number): Process | undefined;
  /** In order of pid. */
  all(): Process[];
  enter(make: (pid: number) => Process): Process;
  leave(pid: number): void;
}

export function createProcessTable(): ProcessTable {
  const table = new Map<number, Process>();
  let nextPid = 1;
  return {
    get: (pid) => table.get(pid),
    all: () => [...table.values()],
    enter(make) {
      const process = make(nextPid++);
      table.set(process.pid, process);
      return process;
    },
    leave(pid) {
      table.delete(pid);
    },
  };
}

/** The user asked for something a program does not offer: exit status 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export interface SpawnOptions {
  readonly argv: readonly string[];
  readonly env?: ReadonlyMap<string, string>;
  readonly cwd?: string;
  readonly stdin?: ByteSource;
  readonly stdout?: ByteSink;
  readonly stderr?: ByteSink;
  readonly parent?: Process;
  readonly priority?: number;
}

export const DEFAULT_PRIORITY = 10;

/** Why the signal of a process is aborted; made once, as the default, a DOMException with a stack trace, costs more than many a process does. */
const ENDED = new Error('the process has ended');

/** Starts a program. It has run up to its first wait when this returns. */
export function spawn(node: LabNode, program: Program, options: SpawnOptions): Process {
  const { parent } = options;
  const controller = new AbortController();
  let killedBy: SignalName | undefined;
  let finish!: (status: number) => void;
  const ended = new Promise<number>((resolve) => (finish = resolve));
  const priority = options.priority ?? parent?.basePriority ?? DEFAULT_PRIORITY;

  function kill(signal: SignalName = 'SIGTERM'): void {
    const again = killedBy !== undefined;
    killedBy ??= signal;
    controller.abort(ENDED);
    if (signal === 'SIGKILL' || again) finish(signalStatus(again ? 'SIGKILL' : signal));
  }
  const self = node.processes.enter((pid) => ({
    pid,
    ppid: parent?.pid ?? 0,
    name: options.argv[0] ?? '',
    node,
    domain: node,
    argv: options.argv,
    env: new Map(options.env ?? parent?.env ?? node.env),
    cwd: options.cwd ?? parent?.cwd ?? '/',
    stdin: options.stdin ?? parent?.stdin ?? emptySource,
    stdout: options.stdout ?? parent?.stdout ?? nullSink,
    stderr: options.stderr ?? parent?.stderr ?? nullSink,
    basePriority: priority,
    priority,
    blocks: [],
    fds: createDescriptorTable(),
    messaging: createMessaging(),
    signal: controller.signal,
    started: refreshNow(),
    get killedBy() {
      return killedBy;
    },
    exited: ended.then((status) => settle(self, status, controller)),
    kill,
  }));
  void runProgram(self, program).then(finish);
  return self;
}

async function settle(self: Process, status: number, controller: AbortController): Promise<number> {
  // What the program may still be doing ends with EINTR or EBADF.
  controller.abort(ENDED);
  endMessaging(self);
  await self.fds.closeAll();
  self.node.processes.leave(self.pid);
  return status;
}

async function runProgram(self: Process, program: Program): Promise<number> {
  try {
    return await program(self);
  } catch (error) {
    return report(self, error);
  }
}

async function report(self: Process, error: unknown): Promise<number> {
  if (self.killedBy !== undefined) return signalStatus(self.killedBy);
  if (error instanceof SystemError && error.errno === ERRNO.EPIPE) return signalStatus('SIGPIPE');
  const expected = error instanceof SystemError || error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  if (!expected) {
    const stack = error instanceof Error ? (error.stack ?? text) : text;
    self.node.log.write(SLOG.error, self.name, `ended by an internal error: ${stack}`);
  }
  // Its standard error may be closed as well: then there is nobody to tell.
  await self.stderr.write(`${self.name}: ${text}\n`).catch(() => undefined);
  return error instanceof UsageError ? 2 : 1;
}
