/**
 * The modules that the nodes of a lab can load: those of Stackscope, which every thread has from the start.
 */
import { filesMeant, moduleFiles, moduleIn } from '../../stack/io-pkt/modules.ts';
import { optionLines } from '../../stack/net/module-options.ts';
import type { LoadableModule, ModuleKind } from '../../stack/net/module.ts';

/** Why a module cannot be loaded, for the system log and for who asked. */
export class ModuleError extends Error {}

export interface ModuleLibrary {
  /** Files in /lib/dll, without their ending. */
  files(): string[];
  /** What `use` prints of a file; undefined if there is none of that name. */
  describe(file: string): string | undefined;
  /** The module that a name on a command line means. Rejects with a ModuleError. */
  load(name: string, kind: ModuleKind | undefined): Promise<LoadableModule>;
}

function describe(file: string, module: LoadableModule): string {
  const { kind, description, options = {} } = module;
  const lines = optionLines(options);
  const head = `${file}.so: ${description} (${kind})`;
  return `${[head, ...(lines.length === 0 ? ['no options'] : ['options:', ...lines])].join('\n')}\n`;
}

function missing(name: string, files: readonly string[]): ModuleError {
  return new ModuleError(
    `${name}: No such file or directory; modules here: ${files.map((file) => `${file}.so`).join(' ')}`,
  );
}

/** The library of a lab. */
export function moduleLibrary(): ModuleLibrary {
  return {
    files: moduleFiles,
    describe(file) {
      const module = moduleIn(file);
      return module === undefined ? undefined : describe(file, module);
    },
    load(name, kind) {
      const file = filesMeant(name, kind).find((candidate) => moduleIn(candidate) !== undefined);
      const module = file === undefined ? undefined : moduleIn(file);
      if (module === undefined) return Promise.reject(missing(name, moduleFiles()));
      if (kind === undefined || module.kind === kind) return Promise.resolve(module);
      const option = module.kind === 'driver' ? '-d' : '-p';
      return Promise.reject(new ModuleError(`${name}: a ${module.kind} module is loaded with ${option}`));
    },
  };
}
