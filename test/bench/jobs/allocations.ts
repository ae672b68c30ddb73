/**
 * What the path of a packet allocates in the heap of JavaScript, by V8's sampling heap profiler, objects that died at once included. In virtual time, where one thread
 * does everything; programs, their calls and the clock of virtual time are not counted: they work per call and per event.
 */
import { Session } from 'node:inspector/promises';
import type { HeapProfiler } from 'node:inspector/promises';
import { forwardingJob } from './forwarding.ts';
import { streamJob } from './stream.ts';
import type { Timing } from './transfer.ts';

export type AllocatingPath = 'bridge' | 'ipflow' | 'tcp';

/** Modules that handle packets. */
const PATH_OF_A_PACKET =
  /\/(stack\/(memory|net|netinet)|drivers\/[^/]+|stack\/runtime\/(source|run-queue|queue|loop|context|wheel)|main\/lab\/(link-service|switch))[^/]*(\/[^/]*)?\.js$/;
const SEGMENT_BYTES = 1448;
const SAMPLE_BYTES = 4096;

function bytesIn(node: HeapProfiler.SamplingHeapProfileNode): number {
  let bytes = PATH_OF_A_PACKET.test(node.callFrame.url) ? node.selfSize : 0;
  for (const child of node.children) bytes += bytesIn(child);
  return bytes;
}

/** Packets of one second of a path. */
async function packetRate(path: AllocatingPath, timing: Timing): Promise<number> {
  if (path !== 'tcp') return forwardingJob({ forwarding: path, time: 'virtual', ...timing });
  return ((await streamJob({ time: 'virtual', ...timing })) * 1e9) / 8 / SEGMENT_BYTES;
}

/** One run: bytes that are allocated for each packet. */
export async function allocationsJob({
  path,
  ...timing
}: Timing & { readonly path: AllocatingPath }): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    const onWarm = (): void => {
      void session.post('HeapProfiler.startSampling', {
        samplingInterval: SAMPLE_BYTES,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      });
    };
    const rate = await packetRate(path, { ...timing, onWarm });
    const { profile } = await session.post('HeapProfiler.stopSampling');
    return bytesIn(profile.head) / (rate * timing.measured);
  } finally {
    session.disconnect();
  }
}
