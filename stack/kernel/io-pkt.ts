/**
 * The io-pkt instances of a node as its programs find them: each registers `<prefix>/dev/socket` in the path space, is a process that pidin
 * shows, and is chosen by the environment variable SOCK (io-pkt, "Several stacks").
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { resourceManager } from './resource-manager.ts';
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

export interface AttachOptions {
  /** Command line that pidin shows; default: the variant's name. */
  readonly argv?: readonly string[];
  /** Called when somebody slays the stack's process; the stack is already out of the path space. */
  readonly onSlain?: () => void;
}

/** Makes a running stack known on its node. Throws EEXIST when the prefix is taken. Returns its process. */
export function attachStack(node: LabNode, port: StackPort, options: AttachOptions = {}): Process {
  if (node.stacks.has(port.prefix))
    throw new SystemError(ERRNO.EEXIST, `a stack at ${port.prefix}/dev/socket`);
  node.stacks.set(port.prefix, port);
  return spawn(node, (self) => serveStack(self, port, options.onSlain), {
    argv: options.argv ?? [port.variant],
    priority: STACK_PRIORITY,
  });
}

async function serveStack(
  self: Process,
  port: StackPort,
  onSlain: (() => void) | undefined,
): Promise<number> {
  const manager = resourceManager(self);
  // Programs reach the stack through libsocket; the name itself can be looked at and waited for.
  manager.attach(`${port.prefix}/dev/socket`, { open: () => ({}) }, {});
  await manager.serve();
  if (self.node.stacks.get(port.prefix) === port) {
    self.node.stacks.delete(port.prefix);
    onSlain?.();
  }
  return 0;
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
