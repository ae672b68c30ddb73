/**
 * Modules that can be loaded into a stack: drivers by the name of their file (devnp-vnic.so, or bare: vnic), with options as one word
 * `name=value,name=value`. Every thread knows the same ones.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import type { Stack } from '../net/stack.ts';

export type ModuleOptions = ReadonlyMap<string, string>;

export interface DriverModule {
  /** As in devnp-NAME.so. */
  readonly name: string;
  /** Options it knows; others are reported and ignored. */
  readonly options: readonly string[];
  /** Adds interfaces and returns their names; throws SystemError. */
  attach(stack: Stack, options: ModuleOptions): string[];
}

const modules = new Map<string, DriverModule>();

export function registerModule(module: DriverModule): void {
  modules.set(module.name, module);
}

export function moduleNames(): string[] {
  return [...modules.keys()];
}

/** The name of a driver without what a file name adds: `vnic` of `vnic`, `devnp-vnic`, `/lib/dll/devnp-vnic.so`. */
export function bareName(file: string): string {
  const base = file.slice(file.lastIndexOf('/') + 1).replace(/\.so$/, '');
  return base.replace(/^devnp?-/, '');
}

/** The driver that a file name or a bare name means. */
export function findModule(file: string): DriverModule | undefined {
  return modules.get(bareName(file));
}

/** Reads `name=value,flag,...`. */
export function parseOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const at = part.indexOf('=');
    if (at < 0) options.set(part, '');
    else options.set(part.slice(0, at), part.slice(at + 1));
  }
  return options;
}

/** mount -T io-pkt: loads a module; ENOENT if there is none of that name. */
export function mountModule(stack: Stack, file: string, options: string): string[] {
  const module = findModule(file);
  if (module === undefined) {
    throw new SystemError(
      ERRNO.ENOENT,
      `${file} (there are: ${moduleNames()
        .map((name) => `devnp-${name}.so`)
        .join(', ')})`,
    );
  }
  return module.attach(stack, parseOptions(options));
}
