/**
 * Brings a module from outside the project into a thread: imports its file, checks what it exports, and enters it under its number.
 */
import { registerForeignModule } from '../../stack/io-pkt/modules.ts';
import type { NumberedModule } from '../../stack/io-pkt/modules.ts';
import { ModuleError, checkModule } from './module-check.ts';

/** A file to be imported, as it is sent to every thread. */
export interface ModuleImport {
  readonly url: string;
  /** Name of the file without its ending: devnp-echo. */
  readonly file: string;
  readonly number: number;
}

/** How long an import may take, ms: a module may wait for something at its top level. */
const PATIENCE_MS = 5000;

/** Rejects when `work` takes too long. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ModuleError(`its import takes longer than ${PATIENCE_MS / 1000} s`);
    timer = setTimeout(() => reject(error), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Imports a module into this thread. Rejects with what its code throws, or a ModuleError. */
export async function importModule({ url, file, number }: ModuleImport): Promise<NumberedModule> {
  const imported = import(/* @vite-ignore */ url) as Promise<{ default?: unknown }>;
  const { default: exported } = await inTime(imported);
  const numbered = { module: checkModule(file, exported), number };
  registerForeignModule(numbered);
  return numbered;
}
