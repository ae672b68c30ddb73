/**
 * One measurement in a process of its own, so that no other one has warmed up its code or filled its memory: `node job.js NAME OPTIONS`, options as JSON.
 * The result is JSON on the standard output.
 */
import { jobs } from './jobs/jobs.ts';

const [name = '', options = '{}'] = process.argv.slice(2);
const job = (jobs as Readonly<Record<string, (options: never) => unknown>>)[name];
if (job === undefined) throw new Error(`there is no job '${name}': ${Object.keys(jobs).join(', ')}`);
process.stdout.write(JSON.stringify(await job(JSON.parse(options) as never)));
