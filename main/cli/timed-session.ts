/**
 * A run from the command line whose time is controlled: it is saved at given times, goes on from where one was saved, and is told by a script to stand still, to step, and to go back.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { nullSink } from '../../stack/kernel/byte-stream.ts';
import { EXIT_INTERRUPTED, LONGEST_TIMEOUT_MS, checkCommands, isSameFile, openFiles } from './lab-session.ts';
import { parseLab, formatProblem } from '../lab/file/parse.ts';
import type { CaptureFiles } from '../lab/capture-file.ts';
import type { NormalLab } from '../lab/file/model.ts';
import type { RunningLab } from '../lab/lab.ts';
import type { SnapshotFile } from '../lab/snapshot/format.ts';
import { divergence, takeSnapshot } from '../lab/snapshot/snapshot.ts';
import { loadZstd } from '../lab/snapshot/zstd.ts';
import type { Zstd } from '../lab/snapshot/zstd.ts';
import type { History, Place } from '../lab/time/history.ts';
import { Timeline } from '../lab/time/timeline.ts';
import type { TimelineListener } from '../lab/time/timeline.ts';
import type { StandReason, VirtualTime } from '../lab/time/virtual-time.ts';
import { EXIT_FAILED, Failure, messageOf, usageFailure } from './failure.ts';
import { watchInterrupts } from './interrupt.ts';
import type { Interruption } from './interrupt.ts';
import { readLab } from './lab-input.ts';
import type { LabOptionValues } from './lab-options.ts';
import { jsonReporter, plainReporter } from './reporter.ts';
import type { Reporter } from './reporter.ts';
import { checkHistory, checkModules, readUsable } from './usable-snapshot.ts';
import { parseTimeCommand, parseTimeScript } from './time-script.ts';
import type { TimeCommand } from './time-script.ts';

/** A time of the lab, ns, at which it is saved, and where to. */
export interface SnapshotRequest {
  readonly time: number;
  readonly file: string;
}

export interface TimeOptionValues {
  readonly snapshotAt: readonly SnapshotRequest[];
  /** The snapshot that the run goes on from. */
  readonly from?: string;
  /** Script of commands for the lab's time; `-`: standard input. */
  readonly control?: string;
  /** Nothing that the lab prints is shown, and the run is over when the lab has been saved. */
  readonly untilSaved?: boolean;
}

const STDIN = '-';

/** What a run begins with: a lab file, or the history in a snapshot. */
interface Beginning {
  readonly lab: NormalLab;
  readonly history: History;
  readonly snapshot?: SnapshotFile;
}

/** Runs the lab of a file. Resolves to the exit status. */
export async function runTimed(
  labFile: string,
  options: LabOptionValues & TimeOptionValues,
): Promise<number> {
  const { lab, text } = await readLab(labFile);
  expectNoPorts(lab, labFile);
  const end = lastTime(options, undefined);
  const plan = { commands: options.exec, ...(end !== undefined && { for: end }) };
  const modules = moduleNames(options);
  const history = { lab: { file: labFile, text }, seed: options.seed, modules, plan, journal: [] };
  return runFrom({ lab, history }, options);
}

/** Goes on with the run in a snapshot, with further commands after those it was begun with. Resolves to the exit status. */
export async function continueRun(
  file: string,
  options: LabOptionValues & TimeOptionValues,
): Promise<number> {
  const snapshot = await readUsable(file);
  const { history, place } = snapshot.header;
  const parsed = parseLab(history.lab.text, history.lab.file);
  if (!parsed.ok)
    throw usageFailure(
      `stackscope: ${file} has a lab that this program refuses:\n${parsed.problems.map(formatProblem).join('\n')}`,
    );
  checkHistory(file, parsed.lab, history);
  checkModules(file, history.modules, moduleNames(options));
  const early = options.snapshotAt.find(({ time }) => time < place.time);
  if (early !== undefined)
    throw usageFailure(
      `stackscope: ${early.file}: the run goes on at ${place.time / 1e9} s, after that time`,
    );
  const added = options.exec.map((command) => ({ ...command, from: place }));
  const end = lastTime(options, history.plan.for);
  const plan = { commands: [...history.plan.commands, ...added], ...(end !== undefined && { for: end }) };
  return runFrom({ lab: parsed.lab, history: { ...history, plan }, snapshot }, options);
}

function moduleNames({ modules }: LabOptionValues): string[] {
  return modules.map((path) => basename(path));
}

function expectNoPorts(lab: NormalLab, labFile: string): void {
  const [port] = lab.ports;
  if (port !== undefined)
    throw usageFailure(
      `${labFile}: port ${port.name} leads to the host, whose packets do not come again: such a lab can neither be saved nor go back`,
    );
}

/** The run goes on until its time is over, which an earlier part of it may have said, and until it has been saved. */
function lastTime(
  options: LabOptionValues & TimeOptionValues,
  earlier: number | undefined,
): number | undefined {
  const times = options.snapshotAt.map(({ time }) => time);
  const until = options.for ?? earlier;
  if (until !== undefined) times.push(until);
  return times.length === 0 ? undefined : Math.max(...times);
}

async function runFrom(beginning: Beginning, options: LabOptionValues & TimeOptionValues): Promise<number> {
  checkCommands(beginning.lab, options.exec);
  const script = readScript(options.control);
  checkCommands(
    beginning.lab,
    script.filter((command) => command.kind === 'exec'),
  );
  for (const { file } of options.snapshotAt) {
    const wrong = unwritable(file, beginning, options);
    if (wrong !== undefined) throw usageFailure(`stackscope: ${wrong}`);
  }
  const interruption = watchInterrupts();
  // In virtual time nothing else may keep the program alive while the lab waits for the user.
  const alive = setInterval(() => undefined, LONGEST_TIMEOUT_MS);
  try {
    return await new TimedSession(beginning, options, script, interruption, await loadZstd()).run();
  } finally {
    clearInterval(alive);
    interruption.dispose();
  }
}

/** Why a snapshot cannot go into a file; undefined if it can. */
function unwritable(
  file: string,
  { history, snapshot }: Beginning,
  { from, capture, write, control }: LabOptionValues & TimeOptionValues,
): string | undefined {
  const path = resolve(file);
  const input = snapshot === undefined ? history.lab.file : from;
  const used = [input, control, ...write, ...capture.map((each) => each.file)].find(
    (name) => name !== undefined && name !== STDIN && (resolve(name) === path || isSameFile(name, file)),
  );
  if (used !== undefined) return `a snapshot to ${file} would overwrite ${used}`;
  return existsSync(dirname(path)) ? undefined : `cannot write ${file}: there is no such folder`;
}

function readScript(file: string | undefined): readonly TimeCommand[] {
  if (file === undefined || file === STDIN) return [];
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw usageFailure(`stackscope: --control ${file}: ${messageOf(error)}`);
  }
  const parsed = parseTimeScript(text, file);
  if (!parsed.ok) throw usageFailure(parsed.problems.join('\n'));
  return parsed.commands.map(([, command]) => command);
}

class TimedSession implements TimelineListener {
  readonly #beginning: Beginning;
  readonly #options: LabOptionValues & TimeOptionValues;
  readonly #script: readonly TimeCommand[];
  readonly #interruption: Interruption;
  readonly #zstd: Zstd;
  readonly #reporter: Reporter;
  readonly #timeline: Timeline;
  /** Nothing ends the run but Ctrl-C. */
  readonly #idle: boolean;
  #files: CaptureFiles;
  /** The files are finished, because the run went back. */
  #hasLeft = false;
  #failed = 0;
  #saved!: () => void;
  readonly #allSaved = new Promise<void>((resolve) => (this.#saved = resolve));

  constructor(
    beginning: Beginning,
    options: LabOptionValues & TimeOptionValues,
    script: readonly TimeCommand[],
    interruption: Interruption,
    zstd: Zstd,
  ) {
    const { lab, history, snapshot } = beginning;
    this.#beginning = beginning;
    this.#options = options;
    this.#script = script;
    this.#interruption = interruption;
    this.#zstd = zstd;
    this.#files = this.#openFiles();
    const { commands, for: until } = history.plan;
    this.#idle = commands.length === 0 && until === undefined && options.control === undefined;
    this.#reporter = options.json ? jsonReporter() : plainReporter(this.#idle);
    this.#timeline = new Timeline({
      lab,
      history,
      modules: options.modules,
      paused: options.control !== undefined,
      listener: this,
      ...(options.journey !== undefined && { journey: options.journey }),
      ...(snapshot !== undefined && { from: snapshot.header.place, verify: () => divergence(snapshot) }),
    });
  }

  #openFiles(): CaptureFiles {
    const { lab, history, snapshot } = this.#beginning;
    // The captures of the lab's own are those of the run that was saved: they stay as they are.
    const asked = snapshot === undefined ? lab : { ...lab, captures: [] };
    return openFiles(
      asked,
      history.lab.file,
      this.#options,
      this.#options.from === undefined ? [] : [this.#options.from],
    );
  }

  async run(): Promise<number> {
    const { lab, history } = this.#beginning;
    try {
      await this.#untilInterrupted(this.#timeline.begin());
      if (!this.#interrupted) {
        this.#reporter.started(lab, { time: 'virtual', seed: history.seed });
        await this.#untilInterrupted(this.#play());
      }
    } catch (error) {
      await this.#timeline.stop();
      this.#files.finish();
      throw error instanceof Failure ? error : new Failure(`stackscope: ${messageOf(error)}`, EXIT_FAILED);
    }
    return this.#stop();
  }

  get #interrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  async #untilInterrupted(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#interruption.requested, this.#timeline.failed]);
  }

  async #play(): Promise<void> {
    await this.#obeyScript();
    await (this.#options.untilSaved === true ? this.#allSaved : this.#timeline.untilDone());
    if (this.#idle) await this.#interruption.requested;
  }

  async #stop(): Promise<number> {
    const { time } = this.#timeline.virtual.place;
    let cut = false;
    for (const report of this.#files.finish()) {
      this.#reporter.capture(report);
      cut ||= report.error !== undefined;
    }
    await this.#timeline.stop();
    const status =
      this.#failed || (cut ? EXIT_FAILED : this.#interrupted && !this.#idle ? EXIT_INTERRUPTED : 0);
    this.#reporter.stopped({ status, reason: this.#interrupted ? 'interrupted' : 'done', time: time / 1e9 });
    return status;
  }

  // What the run tells

  onPlaying(virtual: VirtualTime): void {
    for (const { time, file } of this.#options.snapshotAt)
      virtual.at(time, (place) => {
        // What is only played again was saved when it happened.
        if (!virtual.replaying) this.#save(file, place);
      });
  }

  onLab(lab: RunningLab): void {
    if (this.#hasLeft) this.#files = this.#openFiles();
    this.#hasLeft = false;
    this.#files.beginLinks(lab);
    for (const node of lab.nodes.keys()) this.#files.beginNode(lab, node);
  }

  onLeaving(): void {
    this.#files.finish();
    this.#hasLeft = true;
  }

  onStack(lab: RunningLab, node: string): void {
    this.#files.beginNode(lab, node);
  }

  sink: TimelineListener['sink'] = (node, command, channel) =>
    this.#options.untilSaved === true ? nullSink : this.#reporter.sink(node, command, channel);

  exit(node: string, command: string, status: number): void {
    if (this.#options.untilSaved === true) return;
    this.#reporter.exit(node, command, status);
    this.#count(status);
  }

  startupFailed(node: string, line: string, status: number): void {
    this.#reporter.startupFailed(node, line, status);
    this.#count(EXIT_FAILED);
  }

  #count(status: number): void {
    if (this.#failed === 0) this.#failed = status;
  }

  #save(file: string, place: Place): void {
    const wrong = unwritable(file, this.#beginning, this.#options);
    if (wrong !== undefined) {
      process.stderr.write(`stackscope: ${wrong}\n`);
      this.#count(EXIT_FAILED);
      return;
    }
    const bytes = takeSnapshot(this.#timeline.lab, this.#timeline.history, place, this.#zstd);
    this.#saved();
    try {
      writeFileSync(file, bytes);
    } catch (error) {
      process.stderr.write(`stackscope: cannot write ${file}: ${messageOf(error)}\n`);
      this.#count(EXIT_FAILED);
      return;
    }
    this.#tell({ event: 'saved', file }, place, `saved in ${file}, ${bytes.length} bytes`);
  }

  /** Tells where the run stands. */
  #tell(
    event: { readonly event: string; readonly file?: string },
    { events, time }: Place,
    text: string,
  ): void {
    const line = this.#options.json
      ? JSON.stringify({ ...event, events, time: time / 1e9 })
      : `event ${events}, ${(time / 1e9).toFixed(9)} s: ${text}`;
    process.stdout.write(`${line}\n`);
  }

  // What the script says

  async #obeyScript(): Promise<void> {
    const { control } = this.#options;
    if (control === undefined) return;
    if (control === STDIN) await this.#obeyInput();
    else for (const command of this.#script) await this.#obey(command);
    this.#timeline.virtual.resume();
  }

  async #obeyInput(): Promise<void> {
    for await (const line of createInterface({ input: process.stdin })) {
      if (this.#interrupted) return;
      try {
        const command = parseTimeCommand(line);
        if (command?.kind === 'exec') checkCommands(this.#beginning.lab, [command]);
        if (command !== undefined) await this.#obey(command);
      } catch (error) {
        process.stderr.write(`${messageOf(error)}\n`);
        this.#count(EXIT_FAILED);
      }
    }
  }

  async #obey(command: TimeCommand): Promise<void> {
    if (this.#interrupted) return;
    const timeline = this.#timeline;
    const { virtual } = timeline;
    switch (command.kind) {
      case 'pause':
        virtual.pause();
        return this.#stands('stands still');
      case 'resume':
        return virtual.resume();
      case 'where':
        return this.#stands(virtual.paused ? 'stands still' : 'goes on');
      case 'step':
        return this.#reached(await virtual.step(command.count));
      case 'next': {
        let reason: StandReason = 'paused';
        for (let i = 0; i < command.count && reason === 'paused'; i++) reason = await virtual.nextPacket();
        return this.#reached(reason);
      }
      case 'speed':
        return virtual.setSpeed(command.speed);
      case 'to':
        return this.#runTo(command.relative ? virtual.place.time + command.time : command.time);
      case 'back':
        return this.#goBack({ time: Math.max(0, virtual.place.time - command.by) });
      case 'back-to':
        return this.#goBack(command.target);
      case 'snapshot':
        virtual.pause();
        return this.#save(command.file, virtual.place);
      case 'exec':
        return timeline.exec(command.node, command.command);
    }
  }

  async #runTo(time: number): Promise<void> {
    const { virtual } = this.#timeline;
    if (time < virtual.place.time) {
      throw usageFailure(
        `stackscope: to ${time / 1e9}s: the lab is at ${virtual.place.time / 1e9} s already; 'back-to' goes back`,
      );
    }
    this.#reached(await virtual.runTo(time));
  }

  async #goBack(target: { readonly events: number } | { readonly time: number }): Promise<void> {
    const { place } = this.#timeline.virtual;
    const isAhead = 'events' in target ? target.events > place.events : target.time > place.time;
    if (isAhead)
      throw usageFailure(
        `stackscope: back-to: that is ahead of event ${place.events}, ${place.time / 1e9} s; 'to' goes there`,
      );
    await this.#timeline.goBack(target);
    this.#stands('went back; what came after has not happened');
  }

  #reached(reason: StandReason): void {
    this.#stands(reason === 'idle' ? 'nothing more happens by itself' : 'stands still');
  }

  #stands(text: string): void {
    this.#tell({ event: 'stands' }, this.#timeline.virtual.place, text);
  }
}
