/**
 * One run of a lab from the command line: checks everything that can be checked before, starts, runs commands, waits, stops, and finds the exit status.
 */
import { statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { suggestions } from '../../stack/kernel/suggest.ts';
import type { LabNode, Process } from '../../stack/kernel/process.ts';
import { SECOND, readClock } from '../../stack/runtime/clock.ts';
import { sleepNs } from '../../stack/runtime/timers.ts';
import { runCommandLine } from '../../stack/utilities/shell/shell.ts';
import { filterProblem } from '../capture/filter.ts';
import { keepsJourneys, openCaptureFiles, placesOf } from '../lab/capture-file.ts';
import type { CaptureFileRequest, CaptureFiles } from '../lab/capture-file.ts';
import type { CapturePoint } from '../lab/file/endpoint.ts';
import type { NormalLab } from '../lab/file/model.ts';
import { pseudoLinkType } from '../lab/file/pseudo-interfaces.ts';
import { startLab } from '../lab/lab.ts';
import type { RunningLab } from '../lab/lab.ts';
import { EXIT_FAILED, Failure, messageOf, usageFailure } from './failure.ts';
import { readLab } from './lab-input.ts';
import { watchInterrupts } from './interrupt.ts';
import type { Interruption } from './interrupt.ts';
import type { LabOptionValues, NodeCommand } from './lab-options.ts';
import { jsonReporter, plainReporter } from './reporter.ts';
import type { Reporter } from './reporter.ts';

/** Exit status of a run whose command was ended by Ctrl-C: 128 and the number of SIGINT. */
export const EXIT_INTERRUPTED = 130;
/** How often capture files are brought up to date for those who read along, ms. */
const FLUSH_PERIOD_MS = 500;
/** How long a command may take to end after Ctrl-C, ms. */
const PATIENCE_MS = 500;
export const LONGEST_TIMEOUT_MS = 0x7fffffff;

/** What a verb does with a running lab besides the commands. */
export interface LabWork {
  /** Checks before the lab starts; throws a Failure. */
  check?(lab: NormalLab): void;
  /** Tells of the run, instead of what `--json` chooses. */
  readonly reporter?: Reporter;
  /** Runs beside the commands; `signal` aborts when they are through and the time is over. Its errors end the run. */
  beside?(lab: RunningLab, interruption: Interruption, signal: AbortSignal): Promise<void>;
  /** Runs after the commands of `--exec`; resolves to its exit status. */
  run?(lab: RunningLab, reporter: Reporter, signal: AbortSignal): Promise<number>;
  /** Commands that run after it. */
  readonly commands?: readonly NodeCommand[];
  /** Files that captures must not overwrite. */
  readonly inputs?: readonly string[];
}

/** Runs a lab as the options say and resolves to the exit status. Rejects with a Failure if it cannot start. */
export async function runLab(labFile: string, options: LabOptionValues, work: LabWork = {}): Promise<number> {
  const { lab } = await readLab(labFile);
  if (options.time === 'virtual' && lab.ports[0] !== undefined) {
    throw usageFailure(
      `${labFile}: port ${lab.ports[0].name} leads to the host, which has no virtual time; use --time real`,
    );
  }
  const commands = [...options.exec, ...(work.commands ?? [])];
  checkCommands(lab, commands);
  work.check?.(lab);
  const files = openFiles(lab, labFile, options, work.inputs ?? []);
  const idle = commands.length === 0 && options.for === undefined && work.run === undefined;
  const reporter = work.reporter ?? (options.json ? jsonReporter() : plainReporter(idle));
  const interruption = watchInterrupts();
  // In virtual time nothing else may keep the program alive while the lab waits for the user.
  const alive = setInterval(
    () => files.flush(),
    options.time === 'real' ? FLUSH_PERIOD_MS : LONGEST_TIMEOUT_MS,
  );
  try {
    return await new Session(lab, options, work, files, reporter, interruption).run(idle);
  } finally {
    clearInterval(alive);
    interruption.dispose();
    files.finish();
  }
}

class Session {
  readonly #lab: NormalLab;
  readonly #options: LabOptionValues;
  readonly #work: LabWork;
  readonly #files: CaptureFiles;
  readonly #reporter: Reporter;
  readonly #interruption: Interruption;
  #running: RunningLab | undefined;
  /** Status of the first command that failed. */
  #failed = 0;
  #startupFailed = false;

  constructor(
    lab: NormalLab,
    options: LabOptionValues,
    work: LabWork,
    files: CaptureFiles,
    reporter: Reporter,
    interruption: Interruption,
  ) {
    this.#lab = lab;
    this.#options = options;
    this.#work = work;
    this.#files = files;
    this.#reporter = reporter;
    this.#interruption = interruption;
  }

  async run(idle: boolean): Promise<number> {
    const { time, seed } = this.#options;
    await this.#untilInterrupted(this.#start());
    if (!this.#interrupted) {
      this.#reporter.started(this.#lab, { time, seed });
      await this.#besides(() => this.#perform(idle));
    }
    return this.#stop();
  }

  /** Performs what the lab is started for, with what the verb does beside it. */
  async #besides(perform: () => Promise<void>): Promise<void> {
    const over = new AbortController();
    const beside = this.#work.beside?.(this.#running!, this.#interruption, over.signal);
    await Promise.all([perform().finally(() => over.abort()), beside]);
  }

  get #interrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  /** Waits for `work`, or for Ctrl-C; whatever `work` still does is ended with the lab. */
  async #untilInterrupted<T>(work: Promise<T>): Promise<T | undefined> {
    const done = await Promise.race([work, this.#interruption.requested]);
    return done === undefined ? undefined : done;
  }

  async #start(): Promise<void> {
    const { time, seed, threads, journey, modules } = this.#options;
    try {
      await startLab(this.#lab, {
        time,
        seed,
        modules,
        ...(threads !== undefined && { threads }),
        ...(journey !== undefined && { journey }),
        onBuilt: (lab) => {
          this.#running = lab;
          this.#files.beginLinks(lab);
        },
        onStack: (lab, node) => this.#files.beginNode(lab, node),
        onStartupFailure: (node, line, status) => {
          if (this.#interrupted) return;
          this.#startupFailed = true;
          this.#reporter.startupFailed(node, line, status);
        },
        output: (node, channel) => this.#reporter.sink(node, null, channel),
      });
    } catch (error) {
      throw new Failure(`stackscope: ${messageOf(error)}`, EXIT_FAILED);
    }
  }

  async #perform(idle: boolean): Promise<void> {
    const { signal } = this.#interruption;
    const running = this.#running!;
    await this.#runCommands(this.#options.exec);
    if (!this.#interrupted && this.#work.run !== undefined) {
      this.#count((await this.#work.run(running, this.#reporter, signal)) ?? 0);
    }
    await this.#runCommands(this.#work.commands ?? []);
    if (this.#options.for !== undefined) await sleepNs(Math.max(0, this.#options.for - readClock()), signal);
    if (idle) await this.#interruption.requested;
  }

  async #runCommands(commands: readonly NodeCommand[]): Promise<void> {
    for (const { node, command } of commands) {
      if (this.#interrupted) return;
      const stdout = this.#reporter.sink(node, command, 'stdout');
      const stderr = this.#reporter.sink(node, command, 'stderr');
      const where = this.#running!.nodes.get(node)!;
      const earlier = new Set(where.processes.all());
      const { engine } = this.#running!;
      const ended = engine.enter(() => runCommandLine(where, command, { stdout, stderr }));
      const status = (await this.#untilInterrupted(ended)) ?? (await interrupted(where, earlier, ended));
      this.#reporter.exit(node, command, status);
      this.#count(this.#interrupted ? EXIT_INTERRUPTED : status);
    }
  }

  #count(status: number): void {
    if (this.#failed === 0) this.#failed = status;
  }

  async #stop(): Promise<number> {
    const time = readClock() / SECOND;
    let cut = false;
    for (const report of this.#files.finish()) {
      this.#reporter.capture(report);
      cut ||= report.error !== undefined;
    }
    await this.#running?.stop();
    const status = this.#failed || (this.#startupFailed || cut ? EXIT_FAILED : 0);
    this.#reporter.stopped({ status, reason: this.#interrupted ? 'interrupted' : 'done', time });
    return status;
  }
}

/** Ctrl-C goes to the processes of the command as well: ping, say, then prints its statistics. */
async function interrupted(
  node: LabNode,
  earlier: ReadonlySet<Process>,
  ended: Promise<number>,
): Promise<number> {
  for (const process of node.processes.all()) if (!earlier.has(process)) process.kill('SIGINT');
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<number>((resolve) => {
    timer = setTimeout(() => resolve(EXIT_INTERRUPTED), PATIENCE_MS);
  });
  return Promise.race([ended, patience]).finally(() => clearTimeout(timer));
}

/** Refuses commands on nodes that the lab has not. */
export function checkCommands(lab: NormalLab, commands: readonly NodeCommand[]): void {
  const names = lab.nodes.map(({ name }) => name);
  for (const { node, command } of commands) {
    if (names.includes(node)) continue;
    throw usageFailure(`stackscope: '${node}: ${command}': ${noSuch('node', node, names)}`);
  }
}

/** What stands in the user's way when there is no such thing, and the names there are. */
export function noSuch(kind: string, name: string, names: readonly string[]): string {
  const hint = suggestions()(name, names);
  const shown = names.slice(0, 10).join(', ') + (names.length > 10 ? ', ...' : '');
  return `there is no ${kind} ${name}${hint === '' ? `; there are: ${shown || 'none'}` : hint}`;
}

export function openFiles(
  lab: NormalLab,
  labFile: string,
  { capture, write, journey, captureFilter }: LabOptionValues,
  inputs: readonly string[],
): CaptureFiles {
  const asked = [...capture, ...write.map((file) => ({ at: { kind: 'all' } as const, file }))];
  const requests = asked.map((request) => ({ ...request, filter: captureFilter }));
  if (captureFilter !== undefined && requests.length === 0)
    throw usageFailure('stackscope: --capture-filter is for --capture and -w: add one of them');
  for (const { at, file } of requests) {
    const wrong = wrongPoint(lab, at) ?? wrongFilter(lab, at, captureFilter);
    if (wrong !== undefined) throw usageFailure(`stackscope: --capture for ${file}: ${wrong}`);
  }
  const folder = dirname(labFile);
  const own = lab.captures.flatMap(({ at, file, filter }) =>
    file === undefined ? [] : [{ at, file: isAbsolute(file) ? file : join(folder, file), filter }],
  );
  const all = oneNameEach([...own, ...requests]);
  if (journey !== undefined && !all.some(({ file }) => keepsJourneys(file)))
    throw usageFailure('stackscope: --journey needs a pcapng file to keep journeys in; add -w out.pcapng');
  for (const { file } of all) {
    const input = [labFile, ...inputs].find((name) => isSameFile(name, file));
    if (input !== undefined) throw usageFailure(`stackscope: a capture to ${file} would overwrite ${input}`);
  }
  try {
    return openCaptureFiles(lab, all);
  } catch (error) {
    throw usageFailure(`stackscope: ${messageOf(error)}`);
  }
}

/** A file that is written in two ways, `x` and `./x`, is one file: it gets the name that comes first. */
function oneNameEach(requests: readonly CaptureFileRequest[]): readonly CaptureFileRequest[] {
  const names = new Map<string, string>();
  return requests.map((request) => {
    const name = names.get(resolve(request.file)) ?? request.file;
    names.set(resolve(request.file), name);
    return { ...request, file: name };
  });
}

/** What is wrong with a filter for what is seen at a place. */
function wrongFilter(lab: NormalLab, at: CapturePoint, filter: string | undefined): string | undefined {
  if (filter === undefined) return undefined;
  const problem = filterProblem(
    filter,
    placesOf(lab, at).map(([, linkType]) => linkType),
  );
  return problem === undefined ? undefined : `--capture-filter: ${problem}`;
}

function wrongPoint(lab: NormalLab, at: CapturePoint): string | undefined {
  if (at.kind === 'all') return undefined;
  if (at.kind === 'link') {
    const links = lab.links.map(({ name }) => name);
    return links.includes(at.link) ? undefined : noSuch('link', at.link, links);
  }
  const node = lab.nodes.find(({ name }) => name === at.node);
  if (node === undefined)
    return noSuch(
      'node',
      at.node,
      lab.nodes.map(({ name }) => name),
    );
  if (node.interfaces.includes(at.interface) || pseudoLinkType(at.interface) !== undefined) return undefined;
  return `node ${at.node} has no interface ${at.interface}; it has: ${node.interfaces.join(', ') || 'none'}`;
}

/** True if two names lead to one file that is there. */
export function isSameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
