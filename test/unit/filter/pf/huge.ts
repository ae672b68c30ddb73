/** pf.conf files of a megabyte, each as unpleasant as it can be in one way. */

const MEGABYTE = 2 ** 20;

/** As many lines as make a megabyte. */
function lines(line: (i: number) => string): string {
  const all: string[] = [];
  for (let i = 0, bytes = 0; bytes < MEGABYTE; i++) {
    const next = line(i);
    all.push(next);
    bytes += next.length + 1;
  }
  return `${all.join('\n')}\n`;
}

const host = (i: number): string => `10.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`;

/** By what is unpleasant about them. */
export const HUGE: Readonly<Record<string, string>> = {
  'rules that all differ': lines(
    (i) => `pass in quick on en0 proto tcp from ${host(i)} to any port ${(i % 65_000) + 1}`,
  ),
  'one list of addresses': `pass in from { ${lines(host).replaceAll('\n', ' ')} } to any\n`,
  'lists within lists': `block in from ${'{ '.repeat(MEGABYTE / 4)}10.0.0.1${' }'.repeat(MEGABYTE / 4)}\n`,
  'braces that are never closed': `block in from ${'{ '.repeat(MEGABYTE / 2)}`,
  'macros that hold each other': `m0 = "10.0.0.1"\n${lines((i) => `m${i + 1} = "$m${i} $m${i}"`)}pass from { $m40000 }\n`,
  'macros that are never used': lines((i) => `name${i} = "${host(i)}"`),
  'one table': `table <t> { ${lines(host).replaceAll('\n', ' ')} }\npass from <t>\n`,
  'thousands of tables': lines((i) => `table <t${i}> { ${host(i)} }`),
  'thousands of anchors': lines((i) => `anchor a${i}`),
  'anchors within anchors': `${'anchor "a" {\n'.repeat(40_000)}pass\n${'}\n'.repeat(40_000)}`,
  'one line': `pass in proto tcp from any to any port { ${'80 '.repeat(MEGABYTE / 3)}}\n`,
  'lines joined to one': `pass in ${'\\\n'.repeat(MEGABYTE / 2)}proto tcp\n`,
  'one comment': `#${'x'.repeat(MEGABYTE)}\npass\n`,
  'one word': `pass from ${'x'.repeat(MEGABYTE)}\n`,
  'one quote': `pass label "${'x'.repeat(MEGABYTE)}"\n`,
  'lists that multiply': lines(
    (i) => `pass from { ${host(i)}, ${host(i + 1)} } to { ${host(i)}, ${host(i + 1)} }`,
  ),
  'labels with variables': lines(
    (i) => `pass in proto tcp to port ${(i % 60_000) + 1} label "$nr$if$srcaddr$dstport$proto"`,
  ),
  'a mistake in every line': lines((i) => `pas in from ${host(i)}`),
  'queues that share': `altq on en0 hfsc bandwidth 100Mb queue { ${Array.from({ length: 9000 }, (_, i) => `q${i}`).join(' ')} }\n${lines((i) => `queue q${i} bandwidth 1Kb hfsc(realtime(2Kb ${i} 1Kb) linkshare 1Kb)`)}`,
  'queues within queues': `altq on en0 cbq bandwidth 100Mb queue { q0 }\n${lines((i) => `queue q${i} bandwidth 100% { q${i + 1} }`)}`,
  'nothing but bytes 0': '\0'.repeat(MEGABYTE),
};

/** Names of those that are soon read, for the ordinary tests. */
export const QUICK: readonly string[] = [
  'lists within lists',
  'macros that hold each other',
  'thousands of tables',
  'one line',
  'one quote',
  'a mistake in every line',
  'queues within queues',
];
