/**
 * The modules of Stackscope itself, by the name of their file (devnp-vnic, lsm-autoip): every thread knows the same ones, with the same numbers. And what a name on a
 * command line means: a bare one is tried as a native driver, then as a legacy one, then as a protocol; a path means one file (io-pkt, "-d", "-p", "mount").
 */
import { DRIVER } from '../net/ifnet.ts';
import { registerCardDriver } from '../net/module-card.ts';
import { moduleFile } from '../net/module.ts';
import type { LoadableModule, ModuleKind } from '../net/module.ts';
import { setModule } from '../net/module-record.ts';

/** Where a node sees the files of modules. */
export const MODULE_FOLDER = '/lib/dll';
const ENDING = '.so';

/** A module and its number: the same in every thread. */
export interface NumberedModule {
  readonly module: LoadableModule;
  readonly number: number;
}

const builtIn = new Map<string, NumberedModule>();

/** Makes a module of Stackscope known to this thread; every thread registers the same ones in the same order. */
export function registerModule(module: LoadableModule): void {
  const number = builtIn.size + 1;
  builtIn.set(moduleFile(module), { module, number });
  setModule(number, module);
}

/** Makes a module from outside known to this thread: by a number from FIRST_FOREIGN up that it has in all threads. */
export function registerForeignModule({ module, number }: NumberedModule): void {
  setModule(number, module);
  if (module.kind === 'driver') registerCardDriver(number, module);
}
export const FIRST_FOREIGN: number = DRIVER.firstForeign;
/** A driver's number has to fit into the record of an interface. */
export const LAST_FOREIGN = 255;

/** The module of Stackscope in a file, if there is one. */
export function moduleIn(file: string): NumberedModule | undefined {
  return builtIn.get(file);
}

/** Files of the modules of Stackscope, without their ending. */
export function moduleFiles(): string[] {
  return [...builtIn.keys()];
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
