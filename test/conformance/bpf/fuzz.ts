/** `npm run fuzz:bpf -- [--count N] [--seed N]`: compares the compiler of the BPF filter language with tcpdump's over random expressions, and prints what differs and the totals. */
import { parseArgs } from 'node:util';
import { compareWithTcpdump } from './differential.ts';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { count: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
  });
  const counts = { accepted: 0, refused: 0, different: 0, ours: 0, theirs: 0 };
  const reasons = new Map<string, number>();
  const begun = performance.now();
  await compareWithTcpdump(Number(values.count), Number(values.seed), (comparison) => {
    if (comparison.kind === 'explained')
      reasons.set(comparison.reason, (reasons.get(comparison.reason) ?? 0) + 1);
    else if (comparison.kind === 'different') {
      counts.different++;
      process.stdout.write(`${comparison.linkType} ${comparison.expression}\n    ${comparison.how}\n`);
    } else {
      counts[comparison.accepted ? 'accepted' : 'refused']++;
      counts.ours += comparison.lengths[0];
      counts.theirs += comparison.lengths[1];
    }
  });
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  process.stdout.write(
    `${values.count} expressions in ${seconds} s: ${counts.accepted} programs do the same, ${counts.refused} refused by both, ${counts.different} different\n` +
      `instructions: ${counts.ours} here, ${counts.theirs} there\n`,
  );
  for (const [reason, count] of reasons) process.stdout.write(`${count} explained: ${reason}\n`);
  if (counts.different > 0) process.exitCode = 1;
}

await main();
