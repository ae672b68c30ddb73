/**
 * Background jobs of a shell (XCU 3.201 and the built-ins jobs, wait, kill).
 */
import type { Process } from '../../kernel/process.ts';

export interface Job {
  readonly id: number;
  /** The last command's process, what `$!` is; undefined when none could be started. */
  readonly pid: number | undefined;
  readonly processes: readonly Process[];
  readonly text: string;
  readonly done: Promise<number>;
  /** Exit status once it has ended. */
  status: number | undefined;
}

export interface JobTable {
  add(text: string, processes: readonly Process[], done: Promise<number>): Job;
  all(): Job[];
  /** By `%1`, `%%`, `%+`, or a pid. */
  find(name: string): Job | undefined;
  /** Takes out the jobs that have ended and returns them. */
  reap(): Job[];
}

export function createJobTable(): JobTable {
  const jobs: Job[] = [];
  return {
    add(text, processes, done) {
      const id = (jobs.at(-1)?.id ?? 0) + 1;
      const job: Job = { id, pid: processes.at(-1)?.pid, processes, text, done, status: undefined };
      jobs.push(job);
      void done.then((status) => (job.status = status));
      return job;
    },
    all: () => [...jobs],
    find(name) {
      if (name === '%%' || name === '%+' || name === '%') return jobs.at(-1);
      if (name.startsWith('%')) return jobs.find(({ id }) => String(id) === name.slice(1));
      return jobs.find(({ pid }) => String(pid) === name);
    },
    reap() {
      const ended = jobs.filter(({ status }) => status !== undefined);
      for (const job of ended) jobs.splice(jobs.indexOf(job), 1);
      return ended;
    },
  };
}

/** A line of `jobs`: `[1] + Running              sleep 10 &`. */
export function jobLine(job: Job, isLatest: boolean): string {
  const { status } = job;
  let state = 'Running';
  if (status !== undefined) state = status === 0 ? 'Done' : `Done(${status})`;
  if (status !== undefined && status > 128) state = 'Terminated';
  return `[${job.id}] ${isLatest ? '+' : '-'} ${state.padEnd(20)} ${job.text}\n`;
}
