/**
 * A run of a lab in virtual time that can be saved, and that can go back: what it follows from (history.ts) is kept, and to be at an earlier place it is begun anew and played again up to
 * there, as fast as it goes and without output. Programs live through that because they do the same again.
 *
 * On the way, marks are set: digests of the memory after so many events. A replay that does not come by the same marks has gone another way, and is said to have.
 */
import { readClock } from '../../../stack/runtime/clock.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import type { ByteSink } from '../../../stack/kernel/byte-stream.ts';
import type { JourneyChoice } from '../../../stack/net/journey.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import { startLab } from '../lab.ts';
import type { RunningLab } from '../lab.ts';
import type { NormalLab } from '../file/model.ts';
import type { History, Input, JournalEntry, Place } from './history.ts';
import { Marks } from './marks.ts';
import { keepPristine, resetMemory } from './memory-state.ts';
import { VirtualTime } from './virtual-time.ts';

export type Channel = 'stdout' | 'stderr';

/** Who is told of what happens, but for what is only played again. */
export interface TimelineListener {
  /** The run begins, or begins again to go back: what is to be done at certain times can be said now. */
  onPlaying(virtual: VirtualTime): void;
  /** Where the output of a command goes; `command` is null for start-up lines. */
  sink(node: string, command: string | null, channel: Channel): ByteSink;
  exit(node: string, command: string, status: number): void;
  startupFailed(node: string, line: string, status: number): void;
  /** The lab is there, anew after each going back: at its beginning, or where it was saved. Captures may begin. */
  onLab(lab: RunningLab): void;
  /** The lab is about to end, because the run goes back. Captures end. */
  onLeaving(): void;
  /** A node has got interfaces. */
  onStack(lab: RunningLab, node: string): void;
}

export interface TimelineOptions {
  readonly lab: NormalLab;
  /** What the run follows from, with the journal of an earlier part of it. */
  readonly history: History;
  /** The place where that part was saved: the run begins there. */
  readonly from?: Place;
  /** Called at that place; a reason is why the run cannot go on from there. */
  readonly verify?: (lab: RunningLab) => string | undefined;
  /** Files and folders of modules from outside, whose names the history has. */
  readonly modules: readonly string[];
  readonly journey?: JourneyChoice;
  /** It stands still at its beginning. */
  readonly paused: boolean;
  readonly listener: TimelineListener;
}

/** Where to: a number of events, or a time of the lab, ns. */
export type Target = { readonly events: number } | { readonly time: number };

/** One playing of the run: after going back there is another. */
interface Playing {
  readonly virtual: VirtualTime;
  lab: RunningLab | undefined;
  /** Resolves when its plan is through, or it has been given up. */
  done: Promise<void>;
}

export class Timeline {
  readonly #options: TimelineOptions;
  readonly #marks = new Marks();
  #playing: Playing | undefined;
  #goingBack: Promise<void> = Promise.resolve();
  #fail!: (error: Error) => void;
  /** Rejects when the run cannot go on. */
  readonly failed = new Promise<never>((_resolve, reject) => (this.#fail = reject));

  constructor(options: TimelineOptions) {
    keepPristine();
    this.#options = options;
    this.failed.catch(() => undefined);
  }

  /** Begins the run; resolves where it begins, or goes on. */
  async begin(): Promise<void> {
    const { from, paused, history } = this.#options;
    await this.#play(from, paused, history.journal);
  }

  get virtual(): VirtualTime {
    return this.#playing!.virtual;
  }

  get lab(): RunningLab {
    return this.#playing!.lab!;
  }

  /** What the run up to now follows from. */
  get history(): History {
    return { ...this.#options.history, journal: [...this.virtual.journal] };
  }

  /** Lets a command line in from outside, before the next event. */
  exec(node: string, command: string): void {
    this.virtual.input({ kind: 'exec', node, command });
  }

  /** Resolves when all commands of the plan have ended, and its time is over; after going back they have to end once more. */
  async untilDone(): Promise<void> {
    for (let playing: Playing | undefined; playing === undefined || playing !== this.#playing;) {
      await this.#goingBack;
      playing = this.#playing!;
      await playing.done;
    }
  }

  /** Goes back; what came in after that place has not happened. The run stands still there. */
  goBack(target: Target): Promise<void> {
    return (this.#goingBack = this.#goBack(target));
  }

  async #goBack(target: Target): Promise<void> {
    const { journal } = this.virtual;
    const old = this.#playing!;
    this.#options.listener.onLeaving();
    this.#playing = undefined;
    await old.lab?.stop();
    const until = 'events' in target ? { events: target.events, time: 0 } : target;
    await this.#play(until, true, journal);
    this.#marks.forgetAfter(this.virtual.place.events);
  }

  async stop(): Promise<void> {
    await this.#playing?.lab?.stop();
  }

  /** Plays the run from its beginning; resolves at `until`, if there is one, or at once. */
  async #play(
    until: Place | { readonly time: number } | undefined,
    paused: boolean,
    journal: readonly JournalEntry[],
  ): Promise<void> {
    resetMemory();
    let arrive = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const playing: Playing = {
      lab: undefined,
      done: Promise.resolve(),
      virtual: new VirtualTime({
        paused,
        journal,
        perform: (input) => this.#perform(playing, input),
        ...(until !== undefined && {
          replay: {
            until,
            onArrival: () => {
              this.#check(playing);
              arrive();
            },
            onDeadEnd: () => this.#fail(new Error('the run played again ends before it gets there')),
          },
        }),
      }),
    };
    this.#playing = playing;
    this.#options.listener.onPlaying(playing.virtual);
    this.#marks.follow(playing.virtual, (difference) => this.#fail(new Error(difference)));
    playing.done = this.#start(playing).catch((error: unknown) => {
      if (this.#playing === playing) this.#fail(error instanceof Error ? error : new Error(String(error)));
    });
    await Promise.race([until === undefined ? built(playing) : arrived, this.failed]);
  }

  #check(playing: Playing): void {
    const { verify, from } = this.#options;
    if (from === undefined || verify === undefined || playing.virtual.place.events !== from.events) return;
    const reason = verify(playing.lab!);
    if (reason !== undefined) this.#fail(new Error(reason));
  }

  async #start(playing: Playing): Promise<void> {
    const { lab, history, modules, journey, listener } = this.#options;
    const { virtual } = playing;
    const isLive = (): boolean => this.#isLive(playing);
    await startLab(lab, {
      time: 'virtual',
      seed: history.seed,
      virtual,
      modules,
      ...(journey !== undefined && { journey }),
      onBuilt: (running) => {
        playing.lab = running;
        this.#announce(playing, running);
      },
      onStack: (running, node) => {
        if (this.#isAhead(playing)) listener.onStack(running, node);
      },
      onStartupFailure: (node, line, status) => {
        if (isLive()) listener.startupFailed(node, line, status);
      },
      output: (node, channel) => whileLive(listener.sink(node, null, channel), isLive),
    });
    await this.#runPlan(playing);
  }

  /** Captures begin where the run does, also when it has gone back: a file shows the run as it has become. */
  #announce(playing: Playing, lab: RunningLab): void {
    const { from, listener } = this.#options;
    if (from === undefined) listener.onLab(lab);
    else playing.virtual.atPlace(from, () => listener.onLab(lab));
  }

  /** At or behind the place where the run begins. */
  #isAhead({ virtual }: Playing): boolean {
    return virtual.place.events >= (this.#options.from?.events ?? 0);
  }

  /** False while the run is only played again, and when it has been given up for another playing. */
  #isLive(playing: Playing): boolean {
    return this.#playing === playing && !playing.virtual.replaying;
  }

  async #runPlan(playing: Playing): Promise<void> {
    const { commands, for: until } = this.#options.history.plan;
    for (const { node, command, from } of commands) {
      if (this.#playing !== playing) return;
      await this.#runCommand(playing, node, command, (work) => playing.lab!.engine.enter(work, from));
    }
    if (until !== undefined && this.#playing === playing) await sleepNs(Math.max(0, until - readClock()));
  }

  #perform(playing: Playing, input: Input): void {
    void this.#runCommand(playing, input.node, input.command, (work) => work());
  }

  async #runCommand(
    playing: Playing,
    node: string,
    command: string,
    begin: (work: () => Promise<number>) => Promise<number>,
  ): Promise<void> {
    const { listener } = this.#options;
    const isLive = (): boolean => this.#isLive(playing);
    const [stdout, stderr] = (['stdout', 'stderr'] as const).map((channel) =>
      whileLive(listener.sink(node, command, channel), isLive),
    ) as [ByteSink, ByteSink];
    const status = await begin(() =>
      runCommandLine(playing.lab!.nodes.get(node)!, command, { stdout, stderr }),
    );
    if (isLive()) listener.exit(node, command, status);
  }
}

/** Resolves when the lab is there. */
async function built(playing: Playing): Promise<void> {
  while (playing.lab === undefined) await new Promise((resolve) => setImmediate(resolve));
}

/** Passes on what is written while `isLive` says so, and takes all else. */
function whileLive(sink: ByteSink, isLive: () => boolean): ByteSink {
  return {
    ...sink,
    write: (data) => (isLive() ? sink.write(data) : Promise.resolve()),
    end: () => sink.end(),
  };
}
