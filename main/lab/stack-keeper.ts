/**
 * The stacks of one node: what the commands io-pkt-* do in a lab. A stack gets the cards of the lab file that no other stack of its node has, and the drivers
 * that its command line names.
 */
import legacyVnic from '../../drivers/devn-vnic/index.ts';
import vnic, { attachVnic, vnicOptions } from '../../drivers/devnp-vnic/index.ts';
import type { VnicOptions } from '../../drivers/devnp-vnic/index.ts';
import { parseStackCommand } from '../../stack/io-pkt/command-line.ts';
import type { StackCommand } from '../../stack/io-pkt/command-line.ts';
import { settleThreads } from '../../stack/io-pkt/threads.ts';
import { createInstance, destroyInstance, serveInstance } from '../../stack/io-pkt/instance.ts';
import { freeBuried } from '../../stack/io-pkt/graveyard.ts';
import { setStackLauncher, attachStack, detachStack } from '../../stack/kernel/io-pkt.ts';
import type { LabNode, Process, StackPort } from '../../stack/kernel/process.ts';
import { UsageError } from '../../stack/kernel/process.ts';
import { SLOG } from '../../stack/runtime/messages/severity.ts';
import type { DriverSide } from '../../stack/net/module.ts';
import { readOptions } from '../../stack/net/module-options.ts';
import { plugs } from '../../stack/net/plug.ts';
import { VARIANT, stacks } from '../../stack/net/stack.ts';
import type { Stack, Variant } from '../../stack/net/stack.ts';
import { setSysctl } from '../../stack/net/sysctl.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import type { Engine } from './engine.ts';
import type { ModuleLibrary } from './module-library.ts';
import { StackModules, reasonOf } from './stack-modules.ts';
import type { Attached, WantedModule } from './stack-modules.ts';
import { applyThreadOptions, releaseThreads } from './stack-threads.ts';

const keepers = new WeakMap<LabNode, StackKeeper>();

setStackLauncher((node, argv, caller) => {
  const keeper = keepers.get(node);
  if (keeper === undefined) throw new SystemError(ERRNO.ENOSYS, 'starting a stack');
  return keeper.launch(argv, caller);
});

export class StackKeeper {
  /** The lab ends: stacks are taken down by it, not one by one. */
  stopping = false;
  /** Called when a stack was started and nothing runs on it yet. */
  onStack: () => void = () => undefined;
  readonly #node: LabNode;
  readonly #index: number;
  readonly #cards: ReadonlyMap<string, number>;
  readonly #engine: Engine;
  readonly #library: ModuleLibrary;
  readonly #running = new Map<StackPort, StackModules>();
  /** Modules of all stacks that ever ran: some have things open outside the lab. */
  readonly #modules: StackModules[] = [];

  /** @param cards interfaces of the lab file and their plugs. @param index number of the node, for its hardware addresses. */
  constructor(
    node: LabNode,
    index: number,
    cards: ReadonlyMap<string, number>,
    engine: Engine,
    library: ModuleLibrary,
  ) {
    this.#node = node;
    this.#index = index;
    this.#cards = cards;
    this.#engine = engine;
    this.#library = library;
    keepers.set(node, this);
  }

  /** Carries out `io-pkt-... options`. */
  async launch(argv: readonly string[], caller: Process): Promise<number> {
    const command = parseStackCommand(argv);
    if (typeof command === 'string') throw new UsageError(command);
    this.#expectFree(command.prefix);
    const complaints: string[] = [];
    const modules = new StackModules({
      node: this.#node,
      engine: this.#engine,
      library: this.#library,
      labCard: (name) => this.#labCard(name),
      variant: command.variant,
    });
    const wanted = await this.#find(command, modules, complaints);
    // Another one may have been started meanwhile.
    this.#expectFree(command.prefix);
    const attached: Attached[] = [];
    const warnings: string[] = [];
    const address = this.#engine.whileHeld(() => {
      const made = this.#create(command, modules, complaints);
      warnings.push(...applyThreadOptions(stacks.get(made), command, this.#engine));
      this.#attach(stacks.get(made), modules, wanted, attached, complaints);
      warnings.push(...settleThreads(stacks.get(made), this.#engine.workers()));
      return made;
    });
    this.#register(command, argv, address, modules);
    for (const warning of warnings) this.#node.log.write(SLOG.warning, command.variant, warning);
    serveInstance(address);
    for (const one of attached) complaints.push(...(await modules.finish(one)));
    for (const complaint of complaints) {
      this.#node.log.write(SLOG.error, command.variant, complaint);
      if (command.verbose) await caller.stderr.write(`${command.variant}: ${complaint}\n`);
    }
    return 0;
  }

  #expectFree(prefix: string): void {
    if (!this.#node.stacks.has(prefix)) return;
    throw new SystemError(
      ERRNO.EBUSY,
      `a network manager with prefix '${prefix}' is running; choose -ptcpip prefix=/name`,
    );
  }

  /** The modules of -d and -p; those that cannot be loaded are complained of. */
  async #find(
    command: StackCommand,
    modules: StackModules,
    complaints: string[],
  ): Promise<readonly WantedModule[]> {
    const wanted: WantedModule[] = [];
    for (const request of command.modules) {
      try {
        wanted.push(await modules.find(request));
      } catch (error) {
        complaints.push(`${request.option} ${reasonOf(error)}`);
      }
    }
    return wanted;
  }

  /** The stack is made: puts it into the path space of its node. */
  #register(command: StackCommand, argv: readonly string[], address: number, modules: StackModules): void {
    const { instance, prefix, variant } = command;
    const port: StackPort = { address, instance, prefix, variant };
    this.#running.set(port, modules);
    this.#modules.push(modules);
    attachStack(this.#node, port, {
      argv,
      onSlain: () => this.#end(port),
      ...(command.priority !== undefined && { priority: command.priority }),
      onManager: (manager) => modules.serve(manager, port),
      mount: async (request) => {
        const reply = await modules.mount(request);
        this.onStack();
        return reply;
      },
      mounted: () => modules.mounted(),
    });
    this.onStack();
  }

  /** Makes a stack without interfaces of devices. */
  #create(command: StackCommand, modules: StackModules, complaints: string[]): number {
    // A card that was destroyed a moment ago still holds its plug.
    freeBuried();
    const address = createInstance({
      node: this.#node.name,
      instance: command.instance,
      variant: variantOf(command.variant),
      home: this.#engine.nextHome(),
      ...(command.priority !== undefined && { priority: command.priority }),
    });
    if (address === 0) throw new SystemError(ERRNO.ENOMEM, 'no room for another stack');
    modules.begin(address);
    applyTcpip(stacks.get(address), command, complaints);
    return address;
  }

  /** Gives a stack its cards and attaches its modules. */
  #attach(
    stack: Stack,
    modules: StackModules,
    wanted: readonly WantedModule[],
    attached: Attached[],
    complaints: string[],
  ): void {
    const cards = this.#attachCards(stack, modules, wanted, complaints);
    for (const one of wanted) {
      if (cards.has(one)) continue;
      try {
        const made = modules.attach(one);
        attached.push(made);
        complaints.push(...made.complaints);
      } catch (error) {
        complaints.push(`${one.label}: ${reasonOf(error)}`);
      }
    }
  }

  /**
   * The cards of the lab file that no stack of the node has. A `-d vnic` that names one of them, as `unit=0` does en0, is that card: returns those.
   */
  #attachCards(
    stack: Stack,
    modules: StackModules,
    wanted: readonly WantedModule[],
    complaints: string[],
  ): ReadonlySet<WantedModule> {
    const named = new Set<WantedModule>();
    let unit = 0;
    for (const [name, plug] of this.#cards) {
      const mac = hardwareAddress(this.#index, unit++);
      if (plugs.get(plug).device !== 0) continue;
      const request = wanted.find((one) => cardNamed(one) === name);
      // That of a legacy driver it attaches itself.
      if (request !== undefined && request.module.module !== vnic) continue;
      const settings = request === undefined ? {} : settingsOf(stack, request, complaints);
      if (request !== undefined) named.add(request);
      if (attachVnic(stack, { name, mac, ...settings, plug }) === 0)
        complaints.push(`${name}: no room for another interface (ENOBUFS)`);
      else modules.noteCard(vnic);
    }
    return named;
  }

  /** A card of the lab file that no driver has. */
  #labCard(name: string): ReturnType<DriverSide['labCard']> {
    const plug = this.#cards.get(name);
    if (plug === undefined || plugs.get(plug).device !== 0) return undefined;
    return { plug, mac: hardwareAddress(this.#index, [...this.#cards.keys()].indexOf(name)) };
  }

  /** Takes down a stack that is out of the path space. No thread works. */
  #destroy(port: StackPort): void {
    this.#running.get(port)?.end();
    this.#running.delete(port);
    releaseThreads(stacks.get(port.address), this.#engine);
    destroyInstance(port.address);
  }

  /** Somebody slew the stack. */
  #end(port: StackPort): void {
    if (this.stopping || !this.#running.has(port)) return;
    this.#engine.whileHeld(() => this.#destroy(port));
  }

  /** Takes down a stack that was lost to a fault. The threads hold still. */
  discard(port: StackPort): void {
    if (!this.#running.has(port)) return;
    detachStack(this.#node, port);
    this.#destroy(port);
  }

  /** Takes down all stacks: the threads have ended. */
  destroyAll(): void {
    for (const port of [...this.#running.keys()]) this.#destroy(port);
  }

  /** Resolves when what modules opened outside the lab is closed. */
  async modulesClosed(): Promise<void> {
    await Promise.all(this.#modules.map((modules) => modules.closed()));
  }
}

/** Which io-pkt a command's name means. */
function variantOf(name: string): Variant {
  if (name === 'io-pkt-v6-hc') return VARIANT.v6hc;
  return name === 'io-pkt-v4' ? VARIANT.v4 : VARIANT.v4hc;
}

/** The interface that a `-d vnic` or `-d devn-vnic` names with its number; undefined for other modules, and for a card that takes the first free number. */
function cardNamed({ module, given }: WantedModule): string | undefined {
  const unit = given.get('unit') ?? given.get('lan');
  return (module.module === vnic || module.module === legacyVnic) && unit !== undefined
    ? `${given.get('name') ?? 'en'}${unit}`
    : undefined;
}

/** What a `-d vnic` says of a card of the lab file. */
function settingsOf(
  stack: Stack,
  { label, given }: WantedModule,
  complaints: string[],
): Omit<VnicOptions, 'mac' | 'name'> & { readonly mac?: Uint8Array } {
  const { options, complaints: wrong } = readOptions(vnic.options ?? {}, given);
  complaints.push(...wrong.map((text) => `${label}: ${text}`));
  const { mac: _fresh, name: _name, ...settings } = vnicOptions(stack, options);
  const mac = options.mac('mac');
  return mac === undefined ? settings : { ...settings, mac };
}

/** Options of -ptcpip that this stack knows, by the variable they set. */
const TCPIP: Readonly<Record<string, { readonly variable: string; readonly value: string }>> = {
  forward: { variable: 'net.inet.ip.forwarding', value: '1' },
  fastforward: { variable: 'net.inet.ip.forwarding', value: '1' },
};
const OTHER_TCPIP = [
  'prefix',
  'random',
  'cache',
  'threads_min',
  'threads_max',
  'threads',
  'threads_incr',
  'stacksize',
  'recv_ctxt',
  'rx_pulse_prio',
  'rx_prio',
  'timer_pulse_prio',
];

function applyTcpip(stack: Stack, command: StackCommand, complaints: string[]): void {
  for (const [name, value] of command.tcpip) {
    const known = TCPIP[name];
    if (known !== undefined && value !== '0') setSysctl(stack.sysctl, known.variable, known.value);
    else if (name === 'fastforward') setSysctl(stack.sysctl, 'net.inet.ip.maxflows', '0');
    else if (known === undefined && !OTHER_TCPIP.includes(name))
      complaints.push(`-ptcpip ${name}: option not known and ignored`);
  }
}

/** A locally administered address: the node's number, then the card's. */
export function hardwareAddress(node: number, unit: number): Uint8Array {
  return Uint8Array.of(0x02, 0x00, (node >>> 16) & 255, (node >>> 8) & 255, node & 255, unit & 255);
}
