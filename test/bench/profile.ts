/**
 * Where the time of a measurement goes: the job once more under V8's profiler (`node --cpu-prof`), all its threads together.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runJob } from './child.ts';
import type { AnyJob } from './jobs/jobs.ts';

/** Seconds of a profiled run, for jobs that run as long as they are told: loading the program shall not weigh much. */
const SECONDS = 4;
const FUNCTIONS = 15;
/** Where a thread is that waits, in V8's words and in ours (run-queue.ts: in Atomics.wait). */
const WAITS = '(waits)';
const WAITING = new Set(['(idle)', 'sleepUnless']);

/** What of a .cpuprofile file is used; times in µs. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Time in a function itself, ms, not in those it calls. */
interface SelfTime {
  readonly name: string;
  ms: number;
}

function placeOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  if (WAITING.has(functionName)) return WAITS;
  if (url.startsWith('node:')) return '(inside Node.js)';
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name}  ${basename(url)}:${lineNumber + 1}`;
}

/** Adds the self times of one thread, and returns how long it lived and worked, ms. */
function addSelfTimes(profile: CpuProfile, times: Map<string, SelfTime>): { lived: number; worked: number } {
  const places = new Map(profile.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  let lived = 0;
  let worked = 0;
  profile.samples.forEach((id, i) => {
    const ms = profile.timeDeltas[i]! / 1000;
    const name = places.get(id)!;
    lived += ms;
    if (name === WAITS) return;
    worked += ms;
    const time = times.get(name) ?? { name, ms: 0 };
    time.ms += ms;
    times.set(name, time);
  });
  return { lived, worked };
}

/** The profiles in a folder, by the number of their thread: 0 is the main one, the workers follow. The files are CPU.DAY.TIME.PROCESS.THREAD.NUMBER.cpuprofile. */
function profilesIn(folder: string): CpuProfile[] {
  const threadOf = (file: string): number => Number(file.split('.').at(-3));
  const files = readdirSync(folder).sort((a, b) => threadOf(a) - threadOf(b));
  return files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile);
}

function report(profiles: readonly CpuProfile[]): string {
  const times = new Map<string, SelfTime>();
  const threads = profiles.map((profile) => addSelfTimes(profile, times));
  const worked = threads.reduce((sum, thread) => sum + thread.worked, 0);
  const share = (ms: number, of: number): string => `${((100 * ms) / of).toFixed(1)} %`.padStart(7);
  const busy = threads.map(({ worked: ms, lived }, i) => `thread ${i} ${share(ms, lived).trim()}`).join(', ');
  const top = [...times.values()].sort((a, b) => b.ms - a.ms).slice(0, FUNCTIONS);
  const lines = top.map(({ name, ms }) => `  ${share(ms, worked)}  ${name}\n`);
  return `  at work: ${busy}; self time of what they did:\n${lines.join('')}`;
}

/** Runs a job under the profiler, and returns a text: how busy each thread was and which functions took most of the time. */
export async function profileOf({ name, options }: AnyJob): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'stackscope-profile-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    const shorter = 'measured' in options ? { ...options, measured: SECONDS, warmUp: 0 } : options;
    await runJob(name, shorter, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
    return report(profilesIn(folder));
  } finally {
    process.off('exit', remove);
    remove();
  }
}
