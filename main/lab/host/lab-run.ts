/** One run of a lab, from its start to its end, as the host follows it. */
import { randomInt } from 'node:crypto';
import { nullSink } from '../../../stack/kernel/byte-stream.ts';
import { readClock } from '../../../stack/runtime/clock.ts';
import type { ByteSink } from '../../../stack/kernel/byte-stream.ts';
import type { Problem, Rates, TimeMode } from '../../api/model.ts';
import { interfaceCounters, liveInterfaces } from './live-interfaces.ts';
import { LinkMeter } from './link-meter.ts';
import { startLab } from '../lab.ts';
import type { RunningLab } from '../lab.ts';
import type { NormalLab } from '../file/model.ts';
import { VirtualTime } from '../time/virtual-time.ts';

/** A lab counts as started when its start-up lines are through, or after so long: one of them may never end. */
const PATIENCE_MS = 10_000;
const VIRTUAL_SEED = 1;
/** What is kept of the errors that a start-up line prints, characters. */
const MOST_ERROR_TEXT = 500;

export interface RunEvents {
  /** Links are there, no node runs yet: capturing may begin. */
  onBuilt(running: RunningLab): void;
  /** A node's stack was started: its interfaces are there. */
  onStack(running: RunningLab): void;
  onProblem(problem: Problem): void;
}

export class LabRun {
  readonly running: RunningLab;
  readonly #meter: LinkMeter;
  /** Settles when all start-up lines are through. */
  readonly #ready: Promise<unknown>;

  private constructor(running: RunningLab, ready: Promise<unknown>) {
    this.running = running;
    this.#ready = ready;
    this.#meter = new LinkMeter(running.links.values());
  }

  /** Builds the lab and begins to start its nodes. @throws Error if it cannot be built; nothing is left behind then. */
  static async begin(
    lab: NormalLab,
    modules: readonly string[],
    mode: TimeMode,
    events: RunEvents,
  ): Promise<LabRun> {
    const errors = new Map<string, string>();
    let ready: Promise<RunningLab> | undefined;
    const built = new Promise<RunningLab>((resolve, reject) => {
      ready = startLab(lab, {
        // What a lab in virtual time does is the same every time.
        ...(mode === 'virtual'
          ? { time: mode, seed: VIRTUAL_SEED, virtual: new VirtualTime({ speed: 1 }) }
          : { time: mode, seed: randomInt(2 ** 31) }),
        modules,
        onBuilt: (running) => {
          events.onBuilt(running);
          resolve(running);
        },
        onStack: (running) => events.onStack(running),
        output: (node, channel) => (channel === 'stderr' ? errorSink(errors, node) : nullSink),
        onStartupFailure: (node, line, status) => {
          const said = (errors.get(node) ?? '').trim();
          const reason = said === '' ? `ended with status ${status}` : said;
          events.onProblem({ severity: 'warning', message: `${node}: start-up line '${line}': ${reason}` });
          errors.delete(node);
        },
      });
      ready.catch(reject);
    });
    return new LabRun(await built, ready!);
  }

  /** Until the start-up lines are through, within reason. @throws Error when the lab broke down meanwhile. */
  async started(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([this.#ready, patience]).finally(() => clearTimeout(timer));
  }

  /** The lab's clock, ns. */
  time(): number {
    return this.running.engine.virtual?.place.time ?? readClock();
  }

  /** @param now ns of the lab's clock. */
  rates(now: number): Pick<Rates, 'links' | 'interfaces' | 'nodes'> {
    const nodes = [...this.running.nodes.values()];
    return {
      links: this.#meter.read(now),
      interfaces: nodes.flatMap(({ name }) =>
        liveInterfaces(this.running, name).map((ifp) => interfaceCounters(name, ifp)),
      ),
      nodes: nodes.map(({ name, log }) => ({ name, logLines: log.written() })),
    };
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await this.#ready.catch(() => undefined);
  }
}

/** Keeps the end of what is written, by node. */
function errorSink(errors: Map<string, string>, node: string): ByteSink {
  const decoder = new TextDecoder();
  return {
    isTerminal: false,
    write: (data) => {
      const text = typeof data === 'string' ? data : decoder.decode(data, { stream: true });
      errors.set(node, `${errors.get(node) ?? ''}${text}`.slice(-MOST_ERROR_TEXT));
      return Promise.resolve();
    },
    end: () => undefined,
  };
}
