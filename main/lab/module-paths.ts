/**
 * Paths of modules in the path space of a node. Those of protocols, such as /dev/hello: reading and writing there are calls to the module, in the stack context. Those of
 * interfaces with a legacy driver, /dev/io-net/enN: umount takes the interface away by them (io-pkt, "umount").
 */
import type { StackPort } from '../../stack/kernel/process.ts';
import type { IoFunctions, ResourceManager } from '../../stack/kernel/resource-manager.ts';
import { control } from '../../stack/kernel/stack-client.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';

interface Ocb {
  /** What is still to be read; undefined before the first read. */
  content: Uint8Array | undefined;
}

export class ModulePaths {
  readonly #waiting = new Map<string, string>();
  /** Interfaces with a legacy driver, and what takes the path of each away once it is there. */
  readonly #legacy = new Map<string, (() => void) | undefined>();
  #manager: ResourceManager | undefined;
  #port: StackPort | undefined;

  /** The module in `file` has this path. Before serve() it waits for that. */
  add(file: string, path: string): void {
    if (this.#manager === undefined || this.#port === undefined) this.#waiting.set(file, path);
    else attachPath(this.#manager, this.#port, file, path);
  }

  /** An interface with a legacy driver has its path. */
  addLegacy(name: string): void {
    const there = this.#manager !== undefined && this.#port !== undefined;
    this.#legacy.set(name, there ? attachLegacy(this.#manager!, this.#port!, name) : undefined);
  }

  /** An interface is gone. */
  removeLegacy(name: string): void {
    this.#legacy.get(name)?.();
    this.#legacy.delete(name);
  }

  /** From now on `manager` has the paths. */
  serve(manager: ResourceManager, port: StackPort): void {
    this.#manager = manager;
    this.#port = port;
    for (const [file, path] of this.#waiting) attachPath(manager, port, file, path);
    this.#waiting.clear();
    for (const name of this.#legacy.keys()) this.addLegacy(name);
  }
}

function attachLegacy(manager: ResourceManager, { address, prefix }: StackPort, name: string): () => void {
  const io: IoFunctions<object> = {
    async devctl(_context, _ocb, command) {
      if (command !== 'UMOUNT') throw new SystemError(ERRNO.ENOTTY, command);
      await control(address, 'SIOCIFDESTROY', { name, legacy: true });
    },
    stat: () => ({ kind: 'device', size: 0, mtime: 0, mode: 0o666 }),
  };
  return manager.attach(`${prefix}/dev/io-net/${name}`, { open: () => ({}) }, io);
}

/** Behind the prefix of its stack, as everything that a stack has in the path space. */
function attachPath(
  manager: ResourceManager,
  { address, prefix }: StackPort,
  file: string,
  path: string,
): void {
  const io: IoFunctions<Ocb> = {
    async read(_context, ocb, bytes) {
      ocb.content ??= new TextEncoder().encode((await control(address, 'MODULE_READ', { file })).text);
      const chunk = ocb.content.slice(0, bytes);
      ocb.content = ocb.content.slice(chunk.length);
      return chunk;
    },
    async write(_context, _ocb, data) {
      await control(address, 'MODULE_WRITE', { file, text: new TextDecoder().decode(data) });
      return data.length;
    },
    devctl: async (_context, _ocb, command, data) =>
      (await control(address, 'MODULE_CONTROL', { file, command, data })).reply,
    stat: () => ({ kind: 'device', size: 0, mtime: 0, mode: 0o666 }),
  };
  manager.attach<Ocb>(`${prefix}${path}`, { open: () => ({ content: undefined }) }, io);
}
