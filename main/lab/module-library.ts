/**
 * The modules that the nodes of a lab can load: those of Stackscope, which every thread has from the start, and those in files and folders that the user named when the
 * program was started. The latter are code that runs with all rights of the program: nothing but the command line, the environment and a lab file that was given there
 * can name one. They are imported when they are first loaded, by thread 0 and then by every other.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  FIRST_FOREIGN,
  LAST_FOREIGN,
  filesMeant,
  moduleFiles,
  moduleIn,
} from '../../stack/io-pkt/modules.ts';
import type { NumberedModule } from '../../stack/io-pkt/modules.ts';
import { optionLines } from '../../stack/net/module-options.ts';
import type { LoadableModule, ModuleKind } from '../../stack/net/module.ts';
import { fromOutside } from '../../stack/runtime/outside.ts';
import { ModuleError } from './module-check.ts';
import { importModule } from './module-import.ts';
import type { ModuleImport } from './module-import.ts';

export interface ModuleLibrary {
  /** What is wrong with the files and folders that were named, but not fatal. */
  readonly complaints: readonly string[];
  /** Files in /lib/dll, without their ending. */
  files(): string[];
  /** What `use` prints of a file; undefined if there is none of that name. */
  describe(file: string): string | undefined;
  /** The module that a name on a command line means. Rejects with a ModuleError. */
  load(name: string, kind: ModuleKind | undefined): Promise<NumberedModule>;
}

// Numbers are never given again: threads of this process know their modules by them, and so do records in the memory.
const numbers = new Map<string, number>();

function numberOf(url: string): number {
  const number = numbers.get(url) ?? FIRST_FOREIGN + numbers.size;
  if (number > LAST_FOREIGN)
    throw new ModuleError(
      `${LAST_FOREIGN - FIRST_FOREIGN + 1} modules were loaded since the program was started, which is all it can take`,
    );
  numbers.set(url, number);
  return number;
}

const MODULE_FILE = /^((?:devnp|lsm)-[a-z][a-z0-9_]*)\.m?js$/;

/** Paths of the module files in a file or folder; what a link leads to elsewhere is not among them. @throws Error for what does not exist */
function pathsIn(path: string, complaints: string[]): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`modules: there is no file or folder ${path}`);
  if (stat.isFile()) {
    if (MODULE_FILE.test(basename(path))) return [path];
    throw new Error(`modules: ${path} is not called devnp-NAME.mjs or lsm-NAME.mjs`);
  }
  const folder = realpathSync(path);
  const files = readdirSync(path)
    .filter((name) => MODULE_FILE.test(name))
    .sort()
    .map((name) => join(path, name));
  return files.filter((file) => {
    const inside = existsSync(file) && dirname(realpathSync(file)) === folder;
    if (!inside) complaints.push(`${file} is not used: it leads out of the folder, or nowhere`);
    return inside;
  });
}

/** Files by name, and what is hidden by others of the same name. */
function collect(paths: readonly string[]): { found: Map<string, string>; complaints: string[] } {
  const found = new Map<string, string>();
  const complaints: string[] = [];
  for (const path of paths.flatMap((each) => pathsIn(each, complaints))) {
    const file = MODULE_FILE.exec(basename(path))![1]!;
    const other = moduleIn(file) === undefined ? found.get(file) : 'a module of Stackscope';
    if (other === undefined) found.set(file, path);
    else complaints.push(`${path} is not used: ${other} has the same name`);
  }
  return { found, complaints };
}

function describe(file: string, module: LoadableModule): string {
  const { kind, description, options = {} } = module;
  const lines = optionLines(options);
  const head = `${file}.so: ${description} (${kind})`;
  return `${[head, ...(lines.length === 0 ? ['no options'] : ['options:', ...lines])].join('\n')}\n`;
}

/**
 * The library of a lab.
 * @param paths files and folders with modules from outside
 * @param everyThread has the other threads import a module
 * @throws Error when a path does not exist
 */
export function moduleLibrary(
  paths: readonly string[],
  everyThread: (wanted: ModuleImport) => Promise<void>,
): ModuleLibrary {
  const { found, complaints } = collect(paths);
  const loaded = new Map<string, NumberedModule>();
  const loading = new Map<string, Promise<NumberedModule>>();

  async function bring(file: string, path: string): Promise<NumberedModule> {
    // A file that has changed is another module: whoever corrects it can load it again.
    const url = `${pathToFileURL(path).href}?${statSync(path).mtimeMs}`;
    const wanted = { url, file, number: numberOf(url) };
    const numbered = await importModule(wanted);
    await everyThread(wanted);
    loaded.set(file, numbered);
    return numbered;
  }

  /** A module from outside, imported once; virtual time stands still meanwhile. */
  async function fromFile(file: string, path: string): Promise<NumberedModule> {
    const work = loading.get(file) ?? bring(file, path);
    loading.set(file, work);
    try {
      return await fromOutside(() => work);
    } catch (error) {
      const reason = error instanceof ModuleError ? error.message : String(error);
      throw new ModuleError(`${file}.so (${path}) cannot be loaded: ${reason}`);
    } finally {
      loading.delete(file);
    }
  }

  async function load(name: string, kind: ModuleKind | undefined): Promise<NumberedModule> {
    for (const file of filesMeant(name, kind)) {
      const path = found.get(file);
      const known = moduleIn(file) ?? loaded.get(file);
      if (known === undefined && path === undefined) continue;
      const numbered = known ?? (await fromFile(file, path!));
      if (kind === undefined || numbered.module.kind === kind) return numbered;
      const option = numbered.module.kind === 'driver' ? '-d' : '-p';
      throw new ModuleError(`${name}: a ${numbered.module.kind} module is loaded with ${option}`);
    }
    const all = files().map((file) => `${file}.so`);
    throw new ModuleError(`${name}: No such file or directory; modules here: ${all.join(' ')}`);
  }

  const files = (): string[] => [...moduleFiles(), ...found.keys()].sort();
  return {
    complaints,
    files,
    describe(file) {
      const known = moduleIn(file) ?? loaded.get(file);
      if (known !== undefined) return describe(file, known.module);
      const path = found.get(file);
      return path === undefined ? undefined : `${file}.so: ${path}, not loaded yet\n`;
    },
    load,
  };
}
