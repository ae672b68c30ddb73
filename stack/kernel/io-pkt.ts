/**
 * The io-pkt instances of a node as its programs find them: each registers `<prefix>/dev/socket` in the path space, is a process that pidin
 * shows, and is chosen by the environment variable SOCK (io-pkt, "Several stacks"). Mount requests of type io-pkt[N] are messages to that process.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { close, devctl, open } from './files.ts';
import { resourceManager } from './resource-manager.ts';
import type { ResourceManager } from './resource-manager.ts';
import { spawn } from './process.ts';
import type { LabNode, Process, StackPort } from './process.ts';

/** Priority of io-pkt's main thread (io-pkt-*, -P). */
export const STACK_PRIORITY = 21;

/** How a stack is started and ended by the engine. */
export interface StackLauncher {
  /** Runs `io-pkt-v4-hc -i1 ...` on a node; resolves to the exit status once the stack serves, or has failed to start. */
  (node: LabNode, argv: readonly string[], caller: Process): Promise<number>;
}

let launcher: StackLauncher | undefined;

/** Says what the commands io-pkt-v4, io-pkt-v4-hc and io-pkt-v6-hc do. */
export function setStackLauncher(launch: StackLauncher): void {
  launcher = launch;
}

/** Starts a stack as the command line says. Throws ENOSYS when this program was built without stacks. */
export async function launchStack(caller: Process): Promise<number> {
  if (launcher === undefined) throw new SystemError(ERRNO.ENOSYS, 'starting a stack');
  return launcher(caller.node, caller.argv, caller);
}

/** mount -T io-pkt: the module as it was named, its options as one word. */
export interface MountRequest {
  readonly module: string;
  readonly options: string;
}

/** What became of a mount request: the interfaces that were made, what was wrong but not fatal, and why nothing was loaded. */
export interface MountReply {
  readonly interfaces: readonly string[];
  readonly complaints: readonly string[];
  readonly error?: string;
}

/** A module that is loaded: its file, the interfaces it has, and whether it was switched off after a fault of its own. */
export interface MountedModule {
  readonly file: string;
  readonly interfaces: readonly string[];
  readonly faulted: boolean;
}

export interface AttachOptions {
  /** Command line that pidin shows; default: the variant's name. */
  readonly argv?: readonly string[];
  /** -P: priority of its process; default 21. */
  readonly priority?: number;
  /** Called when somebody slays the stack's process; the stack is already out of the path space. */
  readonly onSlain?: () => void;
  /** Called before the process serves: for further paths. */
  readonly onManager?: (manager: ResourceManager) => void;
  /** Carries out a mount request. */
  readonly mount?: (request: MountRequest) => Promise<MountReply>;
  /** The modules that are loaded. */
  readonly mounted?: () => readonly MountedModule[];
}

/** Makes a running stack known on its node. Throws EEXIST when the prefix is taken. Returns its process. */
export function attachStack(node: LabNode, port: StackPort, options: AttachOptions = {}): Process {
  if (node.stacks.has(port.prefix))
    throw new SystemError(ERRNO.EEXIST, `a stack at ${port.prefix}/dev/socket`);
  node.stacks.set(port.prefix, port);
  return spawn(node, (self) => serveStack(self, port, options), {
    argv: options.argv ?? [port.variant],
    priority: options.priority ?? STACK_PRIORITY,
  });
}

async function serveStack(self: Process, port: StackPort, options: AttachOptions): Promise<number> {
  const manager = resourceManager(self);
  // Programs reach the stack through libsocket; the name itself can be looked at, waited for and mounted on.
  const io = {
    devctl: (_context: unknown, _ocb: object, command: string, data: unknown) =>
      serveMount(options, command, data),
  };
  manager.attach(`${port.prefix}/dev/socket`, { open: () => ({}) }, io);
  options.onManager?.(manager);
  await manager.serve();
  if (self.node.stacks.get(port.prefix) === port) {
    self.node.stacks.delete(port.prefix);
    options.onSlain?.();
  }
  return 0;
}

const MOUNT = 'MOUNT';
const MOUNTED = 'MOUNTED';

function serveMount({ mount, mounted }: AttachOptions, command: string, data: unknown): unknown {
  if (command === MOUNT && mount !== undefined) return mount(data as MountRequest);
  if (command === MOUNTED && mounted !== undefined) return mounted();
  throw new SystemError(ERRNO.ENOTTY, command);
}

async function askManager(self: Process, port: StackPort, command: string, data?: unknown): Promise<unknown> {
  const fd = await open(self, `${port.prefix}/dev/socket`);
  try {
    return await devctl(self, fd, command, data);
  } finally {
    await close(self, fd);
  }
}

/** Loads a module into a running stack (mount(2) of type io-pkt). */
export async function mountModule(
  self: Process,
  port: StackPort,
  request: MountRequest,
): Promise<MountReply> {
  return (await askManager(self, port, MOUNT, request)) as MountReply;
}

/** The modules that are loaded into a stack. */
export async function mountedModules(self: Process, port: StackPort): Promise<readonly MountedModule[]> {
  return (await askManager(self, port, MOUNTED)) as readonly MountedModule[];
}

/** Takes a stack that has ended from its node. */
export function detachStack(node: LabNode, port: StackPort): void {
  if (node.stacks.get(port.prefix) !== port) return;
  node.stacks.delete(port.prefix);
  const path = `${port.prefix}/dev/socket`;
  const server = node.paths.resolve(path);
  if (server?.prefix === path) node.processes.get(server.server.pid)?.kill('SIGTERM');
}

/** The stack a program uses: that of `SOCK`, otherwise the default one. Throws ENOENT saying what is missing. */
export function stackOf(self: Process): StackPort {
  const prefix = (self.env.get('SOCK') ?? '').replace(/\/+$/, '');
  const port = self.node.stacks.get(prefix);
  if (port !== undefined) return port;
  throw new NoStackError(
    prefix === ''
      ? 'no network manager is running on this node'
      : `SOCK=${prefix}: no stack is registered there`,
  );
}

/** ENOENT with a text that says which stack was looked for. */
class NoStackError extends SystemError {
  constructor(text: string) {
    super(ERRNO.ENOENT, text);
    this.message = text;
  }
}
