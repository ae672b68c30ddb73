/**
 * The modules of one stack: what -d and -p on its command line and `mount -T io-pkt` load, and what goes when an interface is destroyed. Everything that goes wrong is an
 * entry in the node's system log; the stack goes on.
 */
import type { ModuleRequest } from '../../stack/io-pkt/command-line.ts';
import { freeBuried } from '../../stack/io-pkt/graveyard.ts';
import type { NumberedModule } from '../../stack/io-pkt/modules.ts';
import type { MountReply, MountRequest, MountedModule } from '../../stack/kernel/io-pkt.ts';
import type { LabNode, StackPort } from '../../stack/kernel/process.ts';
import type { ResourceManager } from '../../stack/kernel/resource-manager.ts';
import { bpfPaths } from '../../stack/kernel/bpf-paths.ts';
import { tunPaths } from '../../stack/kernel/tun-paths.ts';
import type { TunPaths } from '../../stack/kernel/tun-paths.ts';
import {
  DRIVER,
  driverFile,
  driverOf,
  ifDetach,
  ifnets,
  interfaceName,
  onInterfaceEvent,
} from '../../stack/net/ifnet.ts';
import type { Ifnet } from '../../stack/net/ifnet.ts';
import { parseOptions, readOptions } from '../../stack/net/module-options.ts';
import { attachModuleCard } from '../../stack/net/module-card.ts';
import { faultedFiles } from '../../stack/net/module-record.ts';
import { VARIANT_NAMES, moduleFile } from '../../stack/net/module.ts';
import type { DriverSide, Finish, LoadableModule, ModuleOptions } from '../../stack/net/module.ts';
import { stacks } from '../../stack/net/stack.ts';
import { settleThreads } from '../../stack/io-pkt/threads.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import { SLOG } from '../../stack/runtime/messages/severity.ts';
import { attachProtocol } from '../../stack/netinet/module-protocol.ts';
import type { Engine } from './engine.ts';
import { ModuleError } from './module-check.ts';
import type { ModuleLibrary } from './module-library.ts';
import { serveModuleFolder } from './module-folder.ts';
import { ModulePaths } from './module-paths.ts';

export interface StackModulesOptions {
  readonly node: LabNode;
  readonly engine: Engine;
  readonly library: ModuleLibrary;
  /** A card of the lab file that no driver has (DriverSide). */
  readonly labCard: DriverSide['labCard'];
  /** Name of its command. */
  readonly variant: string;
}

/** A module of a command line that was found, or what to complain of. */
export interface WantedModule {
  /** As the user wrote it, with the option: `-d vnic`. */
  readonly label: string;
  readonly module: NumberedModule;
  readonly given: ReadonlyMap<string, string>;
}

/** A module that was attached, and what is left to do or to say. */
export interface Attached {
  readonly label: string;
  readonly interfaces: readonly string[];
  readonly complaints: readonly string[];
  readonly finish: Finish | undefined;
}

/** What an error says, without the lines of its stack. */
export function reasonOf(error: unknown): string {
  if (error instanceof SystemError || error instanceof ModuleError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

const byStack = new Map<number, StackModules>();
onInterfaceEvent((ifp, event) => {
  if (event === 'gone') byStack.get(ifp.stack)?.interfaceGone(ifp);
});

/** A program has made interfaces on a stack. */
export function interfacesMade(stack: number): void {
  byStack.get(stack)?.updateDevices();
}

export class StackModules {
  readonly #options: StackModulesOptions;
  /** Files that are loaded. */
  readonly #loaded = new Map<string, LoadableModule>();
  readonly #closers: (() => Promise<void>)[] = [];
  /** Paths that protocols have. */
  readonly #paths = new ModulePaths();
  #devices: TunPaths | undefined;
  #stack = 0;

  constructor(options: StackModulesOptions) {
    this.#options = options;
  }

  /** From now on these are the modules of the stack at `address`. */
  begin(address: number): void {
    this.#stack = address;
    byStack.set(address, this);
  }

  /** The stack is in the path space: with the files of all modules, and the paths of those that have one. */
  serve(manager: ResourceManager, port: StackPort): void {
    serveModuleFolder(manager, this.#options.library);
    this.#paths.serve(manager, port);
    this.#devices = tunPaths(manager, port);
    bpfPaths(manager, this.#options.node, port);
  }

  /** Gives the interfaces that programs can open their paths. */
  updateDevices(): void {
    const devices = this.#interfaces(
      ({ driver }) => driver === DRIVER.pseudoTap || driver === DRIVER.pseudoTun,
    );
    this.#devices?.update(devices.map((ifp) => ({ name: interfaceName(ifp), index: ifp.index })));
  }

  /** The stack has ended. */
  end(): void {
    byStack.delete(this.#stack);
    this.#stack = 0;
  }

  /** Resolves when what modules opened outside is closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
  }

  /** Finds the module that an option of the command line names. Rejects with a ModuleError. */
  async find({ option, name, options }: ModuleRequest): Promise<WantedModule> {
    const module = await this.#options.library.load(name, option === '-d' ? 'driver' : 'protocol');
    return { label: `${option} ${name}`, module, given: options };
  }

  /** Attaches a module. No thread works; throws what the module throws, and nothing is left behind then. */
  attach({ label, module: { module, number }, given }: WantedModule): Attached {
    const file = moduleFile(module);
    this.#expectFits(module, file);
    const { options, complaints } = readOptions(module.options ?? {}, given);
    const stack = stacks.get(this.#stack);
    const before = stack.nextIndex;
    try {
      let finish: Finish | undefined;
      if (module.kind === 'driver') finish = module.attach(this.#side(file, number, options), options);
      else attachProtocol(stack, number, this.#options.node.name, options);
      if (module.kind === 'driver' && stack.nextIndex === before)
        throw new SystemError(ERRNO.ENODEV, `${file}.so found no device`);
      this.#loaded.set(file, module);
      if (module.kind === 'protocol' && module.path !== undefined) this.#paths.add(file, module.path);
      const made = this.#interfaces((ifp) => ifp.index > before);
      for (const ifp of made) if (driverOf(ifp).legacy === true) this.#paths.addLegacy(interfaceName(ifp));
      const interfaces = made.map(interfaceName);
      return { interfaces, complaints: complaints.map((text) => `${label}: ${text}`), label, finish };
    } catch (error) {
      for (const ifp of this.#interfaces(({ index }) => index > before)) {
        driverOf(ifp).detach(ifp);
        ifDetach(ifp);
      }
      throw error;
    }
  }

  #expectFits(module: LoadableModule, file: string): void {
    const variant = VARIANT_NAMES[stacks.get(this.#stack).variant]!;
    if (module.variants !== undefined && !module.variants.includes(variant))
      throw new ModuleError(`${file}.so is for ${module.variants.join(', ')}, not for ${variant}`);
    if (module.kind === 'protocol' && this.#loaded.has(file))
      throw new SystemError(ERRNO.EBUSY, `${file}.so is loaded already`);
  }

  /** The card of the lab file is there: its driver is loaded. */
  noteCard(module: LoadableModule): void {
    this.#loaded.set(moduleFile(module), module);
  }

  /** Carries out a mount request. Never rejects. */
  async mount({ module: name, options }: MountRequest): Promise<MountReply> {
    const { library, engine, variant, node } = this.#options;
    const nothing = { interfaces: [], complaints: [] };
    try {
      const module = await library.load(name, undefined);
      if (this.#stack === 0) throw new SystemError(ERRNO.ENXIO, variant);
      const wanted: WantedModule = { label: `mount ${name}`, module, given: parseOptions(options) };
      const { attached, warnings } = engine.whileHeld(() => {
        // A card that was destroyed a moment ago still holds its cable.
        freeBuried();
        const made = this.attach(wanted);
        return { attached: made, warnings: settleThreads(stacks.get(this.#stack), engine.workers()) };
      });
      for (const warning of warnings) node.log.write(SLOG.warning, variant, warning);
      const complaints = [...attached.complaints, ...(await this.finish(attached))];
      for (const complaint of complaints) node.log.write(SLOG.error, variant, complaint);
      return { interfaces: attached.interfaces, complaints };
    } catch (error) {
      const reason = reasonOf(error);
      const text = reason.startsWith(name) ? reason : `${name}: ${reason}`;
      node.log.write(SLOG.error, variant, `mount ${text}`);
      return { ...nothing, error: text };
    }
  }

  /** Does what is left to do outside the lab; resolves to what went wrong. */
  async finish({ label, finish }: Attached): Promise<readonly string[]> {
    try {
      await finish?.();
      return [];
    } catch (error) {
      return [`${label}: ${reasonOf(error)}`];
    }
  }

  /** The modules that are loaded. */
  mounted(): MountedModule[] {
    const faulted = faultedFiles(this.#stack);
    return [...this.#loaded.keys()].map((file) => ({
      file: `${file}.so`,
      interfaces: this.#interfacesOf(file).map(interfaceName),
      faulted: faulted.has(file),
    }));
  }

  /** An interface of this stack is being freed: a driver without any is unloaded, unless it stays resident. */
  interfaceGone(ifp: Ifnet): void {
    const file = driverFile(driverOf(ifp));
    this.#paths.removeLegacy(interfaceName(ifp));
    this.updateDevices();
    const module = this.#loaded.get(file);
    if (module === undefined || this.#interfacesOf(file).length > 0) return;
    const resident = module.kind === 'driver' && module.resident === true;
    if (!resident) this.#loaded.delete(file);
    const what = resident ? 'stays resident' : 'unloaded';
    const text = `${file}.so ${what}: ${interfaceName(ifp)} was its last interface`;
    this.#options.node.log.write(SLOG.info, this.#options.variant, text);
  }

  #interfaces(wanted: (ifp: Ifnet) => boolean): Ifnet[] {
    const list: Ifnet[] = [];
    for (let ptr = stacks.get(this.#stack).interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
      if (wanted(ifnets.get(ptr))) list.push(ifnets.get(ptr));
    }
    return list;
  }

  #interfacesOf(file: string): Ifnet[] {
    return this.#interfaces((ifp) => driverFile(driverOf(ifp)) === file);
  }

  #side(file: string, number: number, options: ModuleOptions): DriverSide {
    const { node, engine } = this.#options;
    const stack = this.#stack;
    return {
      stack,
      variant: VARIANT_NAMES[stacks.get(stack).variant]!,
      node: node.name,
      attachCard: (traits = {}) => attachModuleCard(stacks.get(stack), number, node.name, options, traits),
      log: (text, level = 'info') => {
        if (this.#stack === stack) node.log.write(SLOG[level], `${file}.so`, text);
      },
      labCard: (name) => this.#options.labCard(name),
      nextHome: () => engine.nextHome(),
      whileHeld: (work) => (this.#stack === stack ? engine.whileHeld(work) : undefined),
      onEnd: (close) => this.#closers.push(close),
    };
  }
}
