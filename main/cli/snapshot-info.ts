/**
 * What `stackscope snapshot info` prints: the history in a snapshot, and the lab as it was there.
 */
import { SECOND } from '../../stack/runtime/clock.ts';
import { inspectSnapshot } from '../lab/snapshot/inspect.ts';
import type { Inspection } from '../lab/snapshot/inspect.ts';
import type { SnapshotFile } from '../lab/snapshot/format.ts';
import { SnapshotError } from '../lab/snapshot/format.ts';
import type { History } from '../lab/time/history.ts';
import { usageFailure } from './failure.ts';
import { print, visible } from './print.ts';
import { readUsable } from './usable-snapshot.ts';

/** Resolves to the exit status. */
export async function showSnapshot(file: string, json: boolean): Promise<number> {
  const snapshot = await readUsable(file);
  const inspection = inspect(file, snapshot);
  const { program, history, place } = snapshot.header;
  if (json) {
    const { lab, seed, plan, journal } = history;
    const time = place.time / SECOND;
    await print(
      JSON.stringify({
        file,
        program,
        lab: lab.file,
        seed,
        plan,
        journal,
        events: place.events,
        time,
        ...inspection,
      }),
    );
    return 0;
  }
  for (const line of linesOf(snapshot, inspection)) await print(visible(line));
  return 0;
}

function inspect(file: string, snapshot: SnapshotFile): Inspection {
  try {
    return inspectSnapshot(snapshot);
  } catch (error) {
    if (error instanceof SnapshotError) throw usageFailure(`stackscope: ${file} ${error.message}`);
    throw error;
  }
}

function* linesOf({ header }: SnapshotFile, { nodes, links, image }: Inspection): Generator<string> {
  const { program, history, place } = header;
  yield `lab        ${history.lab.file}, seed ${history.seed}`;
  yield `place      event ${place.events}, ${(place.time / SECOND).toFixed(9)} s`;
  yield `memory     ${image.bytes} bytes, ${image.packed} packed; layout ${image.layout}, Stackscope ${program}`;
  yield* historyLines(history);
  for (const { name, stacks, programs } of nodes) {
    for (const { prefix, variant, interfaces, routes, sockets } of stacks) {
      yield `node ${name}: ${variant}${prefix === '' ? '' : ` at ${prefix}`}, ${routes.length} routes, ${sockets.length} sockets`;
      for (const { name: ifname, addresses, counters } of interfaces) {
        const list = addresses.map(({ address }) => address).join(' ');
        yield `    ${ifname.padEnd(8)} ${list.padEnd(16)} ${counters.ipackets} packets in, ${counters.opackets} out`;
      }
    }
    for (const { pid, argv } of programs) yield `    pid ${pid}: ${argv.join(' ')}`;
  }
  for (const { name, ends } of links) {
    const sides = ends.map(
      ({ end, packets, bytes, drops }) => `from ${end} ${packets} packets, ${bytes} bytes, ${drops} lost`,
    );
    yield `link ${name}: ${sides.join('; ')}`;
  }
}

function* historyLines({ plan, journal }: History): Generator<string> {
  for (const { node, command } of plan.commands) yield `command    ${node}: ${command}`;
  for (const { at, input } of journal) {
    yield `let in     at event ${at.events}: ${input.node}: ${input.command}`;
  }
}
