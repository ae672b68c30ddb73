/**
 * The stacks of one node: what the commands io-pkt-* do in a lab. A stack gets the cards of the lab file that no other stack of its node has, and the drivers
 * that its command line names.
 */
import { attachVnic } from '../../drivers/devnp-vnic/index.ts';
import { TapError } from '../../drivers/devnp-tap/tap-error.ts';
import type { TapCard } from '../../drivers/devnp-tap/open.ts';
import { parseStackCommand } from '../../stack/io-pkt/command-line.ts';
import type { ModuleRequest, StackCommand } from '../../stack/io-pkt/command-line.ts';
import { createInstance, destroyInstance, serveInstance } from '../../stack/io-pkt/instance.ts';
import { freeBuried } from '../../stack/io-pkt/graveyard.ts';
import { bareName, findModule, moduleNames } from '../../stack/io-pkt/modules.ts';
import { setStackLauncher, attachStack, detachStack } from '../../stack/kernel/io-pkt.ts';
import type { LabNode, Process, StackPort } from '../../stack/kernel/process.ts';
import { UsageError } from '../../stack/kernel/process.ts';
import { SLOG } from '../../stack/runtime/messages/severity.ts';
import { plugs } from '../../stack/net/plug.ts';
import { VARIANT, stacks } from '../../stack/net/stack.ts';
import type { Stack, Variant } from '../../stack/net/stack.ts';
import { setSysctl } from '../../stack/net/sysctl.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import type { Engine } from './engine.ts';
import { TAP_OPTIONS, attachTapCard, joinTapCard } from './tap-cards.ts';
import type { WantedTap } from './tap-cards.ts';

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
  readonly #running = new Set<StackPort>();
  readonly #taps = new Set<TapCard>();

  /** @param cards interfaces of the lab file and their plugs. @param index number of the node, for its hardware addresses. */
  constructor(node: LabNode, index: number, cards: ReadonlyMap<string, number>, engine: Engine) {
    this.#node = node;
    this.#index = index;
    this.#cards = cards;
    this.#engine = engine;
    keepers.set(node, this);
  }

  /** Carries out `io-pkt-... options`. */
  async launch(argv: readonly string[], caller: Process): Promise<number> {
    const command = parseStackCommand(argv);
    if (typeof command === 'string') throw new UsageError(command);
    if (this.#node.stacks.has(command.prefix)) {
      throw new SystemError(
        ERRNO.EBUSY,
        `a network manager with prefix '${command.prefix}' is running; choose -ptcpip prefix=/name`,
      );
    }
    const complaints: string[] = [];
    const wantedTaps: WantedTap[] = [];
    const address = this.#engine.whileHeld(() => this.#create(command, complaints, wantedTaps));
    const port: StackPort = {
      address,
      instance: command.instance,
      prefix: command.prefix,
      variant: command.variant,
    };
    this.#running.add(port);
    attachStack(this.#node, port, { argv, onSlain: () => this.#end(port) });
    this.onStack();
    if (command.threads !== undefined && command.threads !== this.#engine.threads) {
      const text = `-t ${command.threads}: the lab's ${this.#engine.threads} threads serve the stacks of all nodes`;
      this.#node.log.write(SLOG.notice, command.variant, text);
    }
    serveInstance(address);
    for (const wanted of wantedTaps) await this.#joinTap(wanted, complaints);
    for (const complaint of complaints) {
      this.#node.log.write(SLOG.error, command.variant, complaint);
      if (command.verbose) await caller.stderr.write(`${command.variant}: ${complaint}\n`);
    }
    return 0;
  }

  async #joinTap(wanted: WantedTap, complaints: string[]): Promise<void> {
    try {
      const card = await joinTapCard(wanted, this.#engine);
      this.#taps.add(card);
      void card.ended.then((reason) => {
        this.#taps.delete(card);
        if (!this.stopping) this.#node.log.write(SLOG.warning, 'devnp-tap.so', reason);
      });
    } catch (error) {
      if (!(error instanceof TapError)) throw error;
      complaints.push(`-d tap: ${error.message}`);
    }
  }

  #create(command: StackCommand, complaints: string[], wantedTaps: WantedTap[]): number {
    // A card that was destroyed a moment ago still holds its plug.
    freeBuried();
    const address = createInstance({
      node: this.#node.name,
      instance: command.instance,
      variant: variantOf(command.variant),
      home: this.#engine.nextHome(),
    });
    if (address === 0) throw new SystemError(ERRNO.ENOMEM, 'no room for another stack');
    const stack = stacks.get(address);
    this.#attachCards(stack, complaints);
    for (const request of command.drivers) {
      try {
        loadDriver(stack, request, complaints, wantedTaps);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        complaints.push(`-d ${request.name}: ${error.message}`);
      }
    }
    applyTcpip(stack, command, complaints);
    for (const { name } of command.protocols)
      complaints.push(`-p ${name}: this module is not part of Stackscope yet`);
    return address;
  }

  /** The cards of the lab file that no stack of the node has. */
  #attachCards(stack: Stack, complaints: string[]): void {
    let unit = 0;
    for (const [name, plug] of this.#cards) {
      const mac = hardwareAddress(this.#index, unit++);
      if (plugs.get(plug).device !== 0) continue;
      if (attachVnic(stack, { name, mac, plug }) === 0)
        complaints.push(`${name}: no room for another interface (ENOBUFS)`);
    }
  }

  /** Somebody slew the stack. */
  #end(port: StackPort): void {
    if (this.stopping || !this.#running.delete(port)) return;
    this.#engine.whileHeld(() => destroyInstance(port.address));
  }

  /** Takes down a stack that was lost to a fault. The threads hold still. */
  discard(port: StackPort): void {
    if (!this.#running.delete(port)) return;
    detachStack(this.#node, port);
    destroyInstance(port.address);
  }

  /** Takes down all stacks: the threads have ended. */
  destroyAll(): void {
    for (const port of this.#running) destroyInstance(port.address);
    this.#running.clear();
  }

  /** Resolves when the TAPs of the node's cards are closed. */
  async tapsClosed(): Promise<void> {
    await Promise.all([...this.#taps].map((card) => card.close()));
  }
}

/** Which io-pkt a command's name means. */
function variantOf(name: string): Variant {
  if (name === 'io-pkt-v6-hc') return VARIANT.v6hc;
  return name === 'io-pkt-v4' ? VARIANT.v4 : VARIANT.v4hc;
}

/** Carries out one -d of a command line; throws SystemError. */
function loadDriver(
  stack: Stack,
  { name, options }: ModuleRequest,
  complaints: string[],
  wantedTaps: WantedTap[],
): void {
  const isTap = bareName(name) === 'tap';
  const module = isTap ? undefined : findModule(name);
  if (!isTap && module === undefined) {
    complaints.push(`-d ${name}: no such driver (there are: ${[...moduleNames(), 'tap'].join(', ')})`);
    return;
  }
  const known = module?.options ?? TAP_OPTIONS;
  const unknown = [...options.keys()].filter((key) => !known.includes(key));
  if (unknown.length > 0) complaints.push(`-d ${name}: options not known and ignored: ${unknown.join(', ')}`);
  if (module === undefined) wantedTaps.push(attachTapCard(stack, options));
  else module.attach(stack, options);
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
