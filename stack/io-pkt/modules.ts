/**
 * The modules that this thread knows, by the name of their file (devnp-vnic, lsm-autoip): every thread knows the same ones, with the same numbers. And what a
 * name on a command line means: a bare one is tried as a native driver, then as a legacy one, then as a protocol; a path means one file (io-pkt, "-d", "-p", "mount").
 */
import { moduleFile } from '../net/module.ts';
import type { LoadableModule, ModuleKind } from '../net/module.ts';

/** Where a node sees the files of modules. */
export const MODULE_FOLDER = '/lib/dll';
const ENDING = '.so';

const modules = new Map<string, LoadableModule>();

/** Makes a module known to this thread. */
export function registerModule(module: LoadableModule): void {
  modules.set(moduleFile(module), module);
}

/** Forgets a module from outside: the lab that named it has ended. */
export function forgetModule(file: string): void {
  modules.delete(file);
}

/** The module in a file, if this thread has it. */
export function moduleIn(file: string): LoadableModule | undefined {
  return modules.get(file);
}

/** Files of the modules that this thread has, without their ending. */
export function moduleFiles(): string[] {
  return [...modules.keys()].sort();
}

const PREFIXES: Readonly<Record<ModuleKind, readonly string[]>> = {
  driver: ['devnp-', 'devn-'],
  protocol: ['lsm-'],
};

/**
 * The files (without .so) that a name may mean, best first: `vnic` devnp-vnic, devn-vnic; `devn-vnic.so` and `/lib/dll/devn-vnic.so` that one only.
 * @param kind what is wanted; undefined: either
 */
export function filesMeant(name: string, kind?: ModuleKind): string[] {
  if (name.includes('/')) {
    const file = name.slice(MODULE_FOLDER.length + 1, -ENDING.length);
    return name === `${MODULE_FOLDER}/${file}${ENDING}` ? [file] : [];
  }
  const base = name.replace(/\.so$/, '');
  if (/^(devnp?|lsm)-./.test(base)) return [base];
  const prefixes = kind === undefined ? [...PREFIXES.driver, ...PREFIXES.protocol] : PREFIXES[kind];
  return prefixes.map((prefix) => `${prefix}${base}`);
}
