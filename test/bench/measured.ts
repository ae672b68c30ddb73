/**
 * A row, and which job measured its value: a profile of the job says where the time goes.
 */
import type { AnyJob } from './jobs/jobs.ts';
import type { Row } from './row.ts';

export interface Measured extends Row {
  readonly job?: AnyJob;
}

export function by(job: AnyJob, row: Row): Measured {
  return { ...row, job };
}
