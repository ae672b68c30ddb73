/**
 * The folder /lib/dll of a node: a file for each module that can be loaded, whose text says what `use` prints.
 */
import { MODULE_FOLDER } from '../../stack/io-pkt/modules.ts';
import type { Stat } from '../../stack/kernel/io-message.ts';
import type { IoFunctions, ResourceManager } from '../../stack/kernel/resource-manager.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import type { ModuleLibrary } from './module-library.ts';

interface Ocb {
  /** Undefined for the folder itself. */
  readonly content: Uint8Array | undefined;
  offset: number;
}

const ENDING = '.so';

function openFile(library: ModuleLibrary, path: string): Ocb {
  if (path === '') return { content: undefined, offset: 0 };
  const text = path.endsWith(ENDING) ? library.describe(path.slice(0, -ENDING.length)) : undefined;
  if (text === undefined) throw new SystemError(ERRNO.ENOENT, path);
  return { content: new TextEncoder().encode(text), offset: 0 };
}

function read(ocb: Ocb, bytes: number): Uint8Array {
  if (ocb.content === undefined) throw new SystemError(ERRNO.EISDIR, 'read');
  const chunk = ocb.content.slice(ocb.offset, ocb.offset + bytes);
  ocb.offset += chunk.length;
  return chunk;
}

function statOf({ content }: Ocb): Stat {
  if (content === undefined) return { kind: 'directory', size: 0, mtime: 0, mode: 0o555 };
  return { kind: 'file', size: content.length, mtime: 0, mode: 0o444 };
}

/** Puts the folder into the path space of the manager's node. */
export function serveModuleFolder(manager: ResourceManager, library: ModuleLibrary): void {
  const io: IoFunctions<Ocb> = {
    read: (_context, ocb, bytes) => read(ocb, bytes),
    readdir(_context, { content }) {
      if (content !== undefined) throw new SystemError(ERRNO.ENOTDIR, 'readdir');
      return library.files().map((file) => ({ name: `${file}${ENDING}`, kind: 'file' }));
    },
    stat: (_context, ocb) => statOf(ocb),
  };
  manager.attach(MODULE_FOLDER, { open: (_context, path) => openFile(library, path) }, io);
}
