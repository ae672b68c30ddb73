/**
 * Virtual time: thread 0 does everything, one event after the other, and time jumps to the next deadline when neither stacks nor programs have anything left to
 * do. It can stand still between any two events, go on by one event or to the next packet, run at a pace, and be told to do something at a given time.
 *
 * A run is a function of its lab file, its seed, its plan and its journal (history.ts). For that, whatever programs wait for outside the lab, and whatever comes in
 * from there, enters at a place that is counted in events; and programs do what they have to do at once before the next event, whether somebody stands still there or not.
 */
import { jumpTo, readClock } from '../../../stack/runtime/clock.ts';
import { turn } from '../../../stack/runtime/loop.ts';
import {
  answerBell,
  deliverReplies,
  setActivityListener,
  setBell,
} from '../../../stack/runtime/messages/post.ts';
import {
  handOver,
  outsideIsAwaited,
  setOutsideListener,
  timeIsHeld,
} from '../../../stack/runtime/outside.ts';
import { nextDeadline, nothingFor } from '../../../stack/runtime/run-queue.ts';
import { nextProgramDeadline, setTimerListener, wakePrograms } from '../../../stack/runtime/timers.ts';
import type { Input, JournalEntry, Place } from './history.ts';
import { Pace } from './pace.ts';
import type { Replay, VirtualTimeOptions } from './virtual-time-options.ts';

/** Turns of the event loop without work after which programs count as waiting. */
const QUIET_TURNS = 3;

/** What the engine does along with the lab's events. None of it changes what happens in the lab, but for `tidy`. */
export interface DriverHooks {
  /** Called after each event: captured packets are fetched before their ring is full. */
  afterEvent(): void;
  /** Called when stacks and programs all wait: captured packets are fetched, what was destroyed is freed. */
  tidy(): void;
}

/** Why it stands still. */
export type StandReason =
  /** It was told to, or went as far as it was told to. */
  | 'paused'
  /** Nothing will ever happen again by itself. */
  | 'idle'
  /** It was told something else meanwhile, or the lab has ended. */
  | 'overtaken';

interface Stop {
  readonly time: number;
  readonly work: (place: Place) => void;
}

interface PlaceStop {
  readonly place: Place;
  readonly work: (place: Place) => void;
}

interface Entrance {
  readonly from: Place | undefined;
  readonly work: () => void;
}

/** What it has been told to do before it stands still. */
interface Goal {
  /** Number of events. */
  readonly events?: number;
  /** Frames that had entered links when it was given: one more will do. */
  readonly frames?: number;
  readonly reached: (reason: StandReason) => void;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** True if the next event is one of the stacks and links: a source is queued, or its timer is due. */
function sourceIsWaiting(): boolean {
  return !nothingFor(0) || nextDeadline() <= readClock();
}

export class VirtualTime {
  readonly #pace: Pace;
  readonly #journal: JournalEntry[];
  readonly #perform: (input: Input) => void;
  readonly #stops: Stop[] = [];
  readonly #placeStops: PlaceStop[] = [];
  readonly #plan: Entrance[] = [];
  /** Inputs that have not entered yet. */
  readonly #waiting: Input[] = [];
  readonly #listeners = new Set<() => void>();
  #hooks: DriverHooks = { afterEvent: () => undefined, tidy: () => undefined };
  #framesEntered: () => number = () => 0;
  #replay: Replay | undefined;
  #events = 0;
  /** Entries of the journal that have entered. */
  #entered = 0;
  /** Number of events from which something other than the next event may have to be done first. */
  #attention = 0;
  #shown = 0;
  /** It waits for the clock on the wall. */
  #pacing = false;
  #paused: boolean;
  #goal: Goal | undefined;
  #running = false;
  #windingUp = false;
  #notify: () => void = () => undefined;
  #driven: Promise<void> = Promise.resolve();

  constructor(options: VirtualTimeOptions = {}) {
    this.#pace = new Pace(options.speed ?? Infinity);
    this.#paused = options.paused ?? false;
    this.#journal = [...(options.journal ?? [])];
    this.#perform = options.perform ?? (() => undefined);
    this.#replay = options.replay;
    const until = options.replay?.until;
    if (until !== undefined && 'events' in until) this.atPlace(until, () => this.#arrive());
    else if (until !== undefined) this.at(until.time, () => this.#arrive());
    this.#setAttention();
  }

  // The engine's side

  /** Begins to drive the lab. The run queues are empty and the clock is at 0. */
  start(hooks: DriverHooks, framesEntered: () => number): void {
    this.#hooks = hooks;
    this.#framesEntered = framesEntered;
    this.#running = true;
    const notify = (): void => this.#notify();
    setBell(() => undefined);
    setActivityListener(notify);
    setTimerListener(notify);
    setOutsideListener(notify);
    this.#driven = this.#drive();
  }

  /** The lab ends: nothing stands still any more, so that programs can end. */
  windUp(): void {
    this.#windingUp = true;
    this.#replay = undefined;
    this.#finishGoal('overtaken');
    this.#changed();
  }

  /** Resolves when the lab is driven no longer. */
  async stop(): Promise<void> {
    this.#running = false;
    this.windUp();
    await this.#driven;
  }

  // Who runs the lab

  /**
   * Does something when stacks and programs all wait, so that it does not depend on how its caller came to it. What it does is part of the run: it happens
   * again when the run is played again, without being in the journal.
   * @param from not before this place.
   */
  enter<T>(work: () => T | Promise<T>, from?: Place): Promise<T> {
    return new Promise((resolve) => {
      this.#plan.push({ from, work: () => resolve(work()) });
      this.#notify();
    });
  }

  /** Lets something in from outside: it is carried out before the next event, and noted in the journal. */
  input(input: Input): void {
    this.#waiting.push(input);
    this.#changed();
  }

  /** What has come in so far. */
  get journal(): readonly JournalEntry[] {
    return this.#journal.slice(0, this.#entered);
  }

  /** Has something done between two events: when all that is earlier than `time` has happened, and nothing else. `work` changes nothing in the lab. */
  at(time: number, work: (place: Place) => void): void {
    const later = this.#stops.findIndex((stop) => stop.time > time);
    this.#stops.splice(later < 0 ? this.#stops.length : later, 0, { time, work });
    this.#notify();
  }

  /** Has something done at a place of the run, before the event that follows it. `work` changes nothing in the lab. */
  atPlace(place: Place, work: (place: Place) => void): void {
    const later = this.#placeStops.findIndex((stop) => stop.place.events > place.events);
    this.#placeStops.splice(later < 0 ? this.#placeStops.length : later, 0, { place, work });
    this.#setAttention();
    this.#notify();
  }

  /**
   * For a program that has something to do at `time`, and does nothing before: jumps there at once if nothing else happens until then, and says whether it has. It is as if the
   * program had slept, but for the event that waking up is.
   */
  skipTo(time: number): boolean {
    const stands = this.#paused || this.#goal !== undefined || this.#pace.speed !== Infinity || timeIsHeld();
    if (stands || sourceIsWaiting() || Math.min(this.#nextTime(), this.#nextStop()) <= time) return false;
    jumpTo(time);
    return true;
  }

  // Control

  get place(): Place {
    return { events: this.#events, time: this.#shownTime() };
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** True while an earlier run is played again. */
  get replaying(): boolean {
    return this.#replay !== undefined;
  }

  get speed(): number {
    return this.#pace.speed;
  }

  setSpeed(speed: number): void {
    this.#pace.change(speed, this.#shownTime());
    this.#changed();
  }

  /** Told of every pause and of what ends it, of changes of speed and of the end of a replay. Returns what ends the listening. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stands still before the next event. */
  pause(): void {
    const time = this.#shownTime();
    this.#paused = true;
    this.#shown = time;
    this.#finishGoal('overtaken');
    this.#changed();
  }

  resume(): void {
    this.#finishGoal('overtaken');
    this.#go();
  }

  /** Goes on by so many events. */
  step(events: number): Promise<StandReason> {
    return this.#goFor({ events: this.#events + events });
  }

  /** Goes on until a frame has entered a link. */
  nextPacket(): Promise<StandReason> {
    return this.#goFor({ frames: this.#framesEntered() });
  }

  /** Goes on until all that is earlier than `time` has happened; nothing if it is not ahead. */
  runTo(time: number): Promise<StandReason> {
    if (time <= this.#shownTime()) return Promise.resolve('paused');
    const reached = this.#goFor({});
    const goal = this.#goal;
    this.at(time, () => {
      if (this.#goal === goal) this.#reachGoal('paused');
    });
    return reached;
  }

  #goFor(goal: Omit<Goal, 'reached'>): Promise<StandReason> {
    this.#finishGoal('overtaken');
    return new Promise((reached) => {
      this.#goal = { ...goal, reached };
      this.#go();
    });
  }

  #go(): void {
    this.#pace.begin(this.#shownTime());
    this.#paused = false;
    this.#changed();
  }

  #reachGoal(reason: StandReason): void {
    this.#paused = true;
    this.#finishGoal(reason);
    this.#changed();
  }

  #finishGoal(reason: StandReason): void {
    const goal = this.#goal;
    this.#goal = undefined;
    goal?.reached(reason);
  }

  #changed(): void {
    this.#setAttention();
    this.#notify();
    for (const listener of this.#listeners) listener();
  }

  #setAttention(): void {
    if (this.#windingUp) this.#attention = Infinity;
    else if (this.#replay === undefined && (this.#paused || this.#waiting.length > 0)) this.#attention = 0;
    else {
      this.#attention = Math.min(
        this.#journal[this.#entered]?.at.events ?? Infinity,
        this.#goal?.events ?? Infinity,
        this.#placeStops[0]?.place.events ?? Infinity,
      );
    }
  }

  #shownTime(): number {
    const clock = readClock();
    if (this.#pacing && !this.#paused)
      this.#shown = Math.max(this.#shown, Math.min(this.#pace.due(), this.#nextTime(), this.#nextStop()));
    return (this.#shown = Math.max(this.#shown, clock));
  }

  // Driving

  async #drive(): Promise<void> {
    for (let quiet = 0; this.#running;) {
      if (this.#events >= this.#attention && sourceIsWaiting() && (await this.#lookUp())) {
        quiet = 0;
      } else if (turn()) {
        this.#count();
        this.#hooks.afterEvent();
        quiet = 0;
      } else {
        answerBell();
        if (deliverReplies()) quiet = 0;
        if (quiet++ < QUIET_TURNS) await nextTurn();
        else {
          await this.#settled();
          quiet = 0;
        }
      }
    }
    for (let more = true; more;) {
      more = false;
      while (turn()) more = true;
      if (deliverReplies()) more = true;
    }
    this.#hooks.tidy();
  }

  #count(): void {
    this.#events++;
    const frames = this.#goal?.frames;
    if (frames !== undefined && this.#framesEntered() !== frames) this.#reachGoal('paused');
  }

  /** Programs go on up to their next waits. */
  async #happened(): Promise<void> {
    this.#count();
    await nextTurn();
  }

  /**
   * Before an event: does what comes first, or stands still. True if the next event has to be looked for again.
   */
  async #lookUp(): Promise<boolean> {
    if (this.#events < this.#attention) return false;
    if (this.#placeStops[0]?.place.events === this.#events) {
      this.#stopAtPlace(this.#placeStops.shift()!);
      return true;
    }
    if (this.#takeInput()) {
      await this.#happened();
      return true;
    }
    if (this.#goal?.events !== undefined && this.#events >= this.#goal.events) this.#reachGoal('paused');
    if (!this.#paused || this.#replay !== undefined) return false;
    await this.#change();
    return true;
  }

  #stopAtPlace({ place, work }: PlaceStop): void {
    this.#runStops(place.time);
    this.#shown = Math.max(this.#shown, place.time);
    this.#setAttention();
    work(this.place);
  }

  /** Carries out the input whose turn it is; says whether there was one. */
  #takeInput(): boolean {
    const entry = this.#journal[this.#entered] ?? this.#newEntry();
    if (entry?.at.events !== this.#events) return false;
    this.#runStops(entry.at.time);
    // The replay may have arrived before it.
    if (this.#journal[this.#entered] !== entry) return false;
    jumpTo(entry.at.time);
    this.#entered++;
    this.#setAttention();
    this.#perform(entry.input);
    return true;
  }

  /** What waits outside gets its place. */
  #newEntry(): JournalEntry | undefined {
    if (this.#replay !== undefined) return undefined;
    const input = this.#waiting.shift();
    if (input === undefined) return undefined;
    const entry = { at: this.place, input };
    this.#journal.push(entry);
    return entry;
  }

  #arrive(): void {
    const replay = this.#replay;
    this.#replay = undefined;
    // What the earlier run did from here on has not happened.
    this.#journal.length = this.#entered;
    this.#pace.begin(this.#shownTime());
    replay?.onArrival(this.place);
    this.#changed();
  }

  /** Stacks and programs all wait, for time or for the world outside. */
  async #settled(): Promise<void> {
    this.#hooks.tidy();
    if (timeIsHeld()) return this.#waitForOutside();
    if (nextProgramDeadline() <= readClock()) {
      if (await this.#lookUp()) return;
      wakePrograms(readClock());
      await this.#happened();
      return;
    }
    if (this.#planIsDue()) {
      if (await this.#lookUp()) return;
      this.#plan.shift()?.work();
      await this.#happened();
      return;
    }
    if (await this.#lookUp()) return;
    await this.#moveTime();
  }

  async #waitForOutside(): Promise<void> {
    while (outsideIsAwaited() && this.#running) await this.#change();
    if (await this.#lookUp()) return;
    if (handOver()) await this.#happened();
  }

  #planIsDue(): boolean {
    const from = this.#plan[0]?.from;
    if (this.#plan.length === 0) return false;
    return (
      from === undefined ||
      this.#events > from.events ||
      (this.#events === from.events && from.time <= readClock())
    );
  }

  /** The next time at which something happens by itself, ns. */
  #nextTime(): number {
    const from = this.#plan[0]?.from;
    const planned = from?.events === this.#events ? from.time : Infinity;
    return Math.min(nextDeadline(), nextProgramDeadline(), planned);
  }

  /** Nothing is left to be done at this time. */
  async #moveTime(): Promise<void> {
    const next = this.#nextTime();
    const soonest = Math.min(next, this.#nextStop());
    if (soonest === Infinity && this.#replay !== undefined) {
      const { onDeadEnd } = this.#replay;
      this.#replay = undefined;
      onDeadEnd?.(this.place);
      return;
    }
    if (soonest === Infinity && this.#goal !== undefined) {
      this.#reachGoal('idle');
      return;
    }
    const wait = this.#waitFor(soonest);
    if (soonest === Infinity || wait > 0) {
      this.#pacing = this.#pace.speed !== Infinity;
      await this.#change(wait);
      this.#shownTime();
      this.#pacing = false;
    } else if (!this.#runStops(soonest)) jumpTo(next);
  }

  /** Wall time until `time`, ms; 0 where there is no pace to keep. */
  #waitFor(time: number): number {
    const stepping = this.#goal?.events !== undefined || this.#goal?.frames !== undefined;
    return stepping || this.#windingUp || this.#replay !== undefined ? 0 : this.#pace.until(time);
  }

  #nextStop(): number {
    return this.#stops[0]?.time ?? Infinity;
  }

  /** Does what is to be done until `time`; says whether there was anything. */
  #runStops(time: number): boolean {
    let any = false;
    while (this.#stops.length > 0 && this.#nextStop() <= time) {
      const stop = this.#stops.shift()!;
      this.#shown = Math.max(this.#shown, stop.time);
      stop.work({ events: this.#events, time: stop.time });
      any = true;
    }
    return any;
  }

  /** Until something is told to it or comes back from outside, or `ms` have passed (0: no limit). */
  #change(ms = 0): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms > 0 && ms !== Infinity ? setTimeout(done, ms) : undefined;
      const notify = (this.#notify = done);
      const forget = (): void => {
        if (this.#notify === notify) this.#notify = () => undefined;
      };
      function done(): void {
        clearTimeout(timer);
        forget();
        resolve();
      }
    });
  }
}
