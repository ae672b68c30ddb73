/**
 * Paths of protocol modules in the path space of a node, such as /dev/hello: reading and writing there are calls to the module, in the stack context.
 */
import type { StackPort } from '../../stack/kernel/process.ts';
import type { IoFunctions, ResourceManager } from '../../stack/kernel/resource-manager.ts';
import { control } from '../../stack/kernel/stack-client.ts';

interface Ocb {
  /** What is still to be read; undefined before the first read. */
  content: Uint8Array | undefined;
}

export class ModulePaths {
  readonly #waiting = new Map<string, string>();
  #manager: ResourceManager | undefined;
  #port: StackPort | undefined;

  /** The module in `file` has this path. Before serve() it waits for that. */
  add(file: string, path: string): void {
    if (this.#manager === undefined || this.#port === undefined) this.#waiting.set(file, path);
    else attachPath(this.#manager, this.#port, file, path);
  }

  /** From now on `manager` has the paths. */
  serve(manager: ResourceManager, port: StackPort): void {
    this.#manager = manager;
    this.#port = port;
    for (const [file, path] of this.#waiting) attachPath(manager, port, file, path);
    this.#waiting.clear();
  }
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
    stat: () => ({ kind: 'device', size: 0, mtime: 0, mode: 0o666 }),
  };
  manager.attach<Ocb>(`${prefix}${path}`, { open: () => ({ content: undefined }) }, io);
}
