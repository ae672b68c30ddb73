/**
 * Draws a recording (record.ts) as an SVG that stands for itself: a lane for each thread, boxes for what it serviced, bars for the stack contexts that it held, numbers for the stations of
 * the packet. Colours follow the reader's light or dark scheme.
 */
import type { Recording, Span } from './record.ts';

const WIDTH = 1180;
const LEFT = 92;
const RIGHT = 20;
const TOP = 92;
const LANE = 128;
const BOX = 40;
const BAR = 18;
const LINE = 19;
/** Around the packet's first and last station, ns. */
const MARGIN = 3000;
/** Boxes that are narrower than so many pixels per character have their names below. */
const CHARACTER = 6.3;
/** Stations have the time at which their thread looked at the clock last: a little before, ns. */
const CLOCK_STEP = 2000;
/** Stations that are no more pixels apart share a badge. */
const SHARED = 48;

const STYLE = `
  text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2933 }
  .title { font: 600 15px system-ui, sans-serif } .note, .lane { font: 13px system-ui, sans-serif } .small { font-size: 11px; white-space: pre }
  .page { fill: #ffffff } .track { fill: #f1f4f8 } .grid { stroke: #d5dce5 }
  .service { fill: #cfe3fb; stroke: #3b7dd8 } .fast { fill: #c9efd2; stroke: #2d9a4b } .link { fill: #e4e7ec; stroke: #8a94a3 }
  .context { fill: #ffdcae; stroke: #d9822b } .badge { fill: #1f2933 } .number { fill: #ffffff; font-weight: 700; font-size: 11px }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e9f0 } .page { fill: #14181f } .track { fill: #1d232d } .grid { stroke: #343d4a }
    .service { fill: #173a66; stroke: #5b9bf0 } .fast { fill: #174a27; stroke: #48c46b } .link { fill: #2c333e; stroke: #8a94a3 }
    .context { fill: #5e3c10; stroke: #f0a04b } .badge { fill: #e4e9f0 } .number { fill: #14181f }
  }`;

const escape = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function text(x: number, y: number, content: string, kind = '', anchor = 'start'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${kind}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function box(x: number, y: number, width: number, height: number, kind: string): string {
  return `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(width, 2).toFixed(1)}" height="${height}" rx="3" class="${kind}"/>`;
}

/** The picture as the text of an SVG file. */
export function draw({ services, contexts, stations }: Recording): string {
  const from = stations[0]!.at - MARGIN;
  const to = stations.at(-1)!.at + MARGIN;
  const threads = [...new Set(services.map(({ thread }) => thread))]
    .filter((thread) => thread > 0)
    .sort((a, b) => a - b);
  const scale = (WIDTH - LEFT - RIGHT) / (to - from);
  const x = (time: number): number => LEFT + (Math.min(Math.max(time, from), to) - from) * scale;
  const laneTop = (thread: number): number => TOP + threads.indexOf(thread) * LANE;
  const seen = (list: readonly Span[]): Span[] =>
    list.filter((span) => span.to > from && span.from < to && threads.includes(span.thread));
  const boxes = seen(services);
  const bars = seen(contexts);
  const inside = (a: Span, b: Span): boolean =>
    a !== b && a.thread === b.thread && a.from >= b.from && a.to <= b.to;
  const kindOf = (span: Span): string => {
    if (span.name.startsWith('link:')) return 'link';
    return span.name.startsWith('router:') && !bars.some((bar) => inside(bar, span)) ? 'fast' : 'service';
  };
  const parts: string[] = [];
  for (const thread of threads) {
    parts.push(box(LEFT, laneTop(thread), WIDTH - LEFT - RIGHT, LANE - 14, 'track'));
    parts.push(text(12, laneTop(thread) + 34, `thread ${thread}`, 'lane'));
  }
  parts.push(...axis(from, to, x, TOP + threads.length * LANE));
  for (const span of boxes.filter((one) => !boxes.some((other) => inside(one, other)))) {
    const y = laneTop(span.thread) + 30;
    parts.push(box(x(span.from), y, x(span.to) - x(span.from), BOX, kindOf(span)));
    parts.push(label(span, x, y + 16));
  }
  for (const span of boxes.filter((one) => boxes.some((other) => inside(one, other))))
    parts.push(
      box(x(span.from), laneTop(span.thread) + 30 + BOX - 15, x(span.to) - x(span.from), 12, kindOf(span)),
    );
  for (const span of bars) {
    const y = laneTop(span.thread) + 30 + BOX + 6;
    parts.push(box(x(span.from), y, x(span.to) - x(span.from), BAR, 'context'));
    parts.push(label({ ...span, name: `context of ${span.name}` }, x, y + 13, span.name));
  }
  parts.push(...badges(stations, boxes, x, laneTop));
  const legendTop = TOP + threads.length * LANE + 44;
  parts.push(...legend(stations, legendTop));
  const height = legendTop + 30 + Math.ceil(stations.length / 2) * LINE + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="What two threads did while a packet crossed a router">
<style>${STYLE}</style>
<rect width="${WIDTH}" height="${height}" class="page"/>
${text(12, 26, 'A datagram from left over router to right: what two worker threads did', 'title')}
${text(12, 48, 'From the trace of a run in real time. Blue: an interface or a stack is serviced; green: so is one of the router, and the packet is forwarded on the spot; grey: a link.', 'note')}
${text(12, 68, 'Orange: the thread holds the context of that stack. Nothing orange lies below green: the fast path never takes the context.', 'note')}
${parts.join('\n')}
</svg>
`;
}

/** The name of a span in its box, or a shorter one, if there is room. */
function label(span: Span, x: (time: number) => number, y: number, short = ''): string {
  const width = x(span.to) - x(span.from);
  const fitting = [span.name, short].find((name) => name !== '' && name.length * CHARACTER + 8 <= width);
  return fitting === undefined ? '' : text(x(span.from) + 4, y, fitting, 'small');
}

/** A line every few µs. */
function axis(from: number, to: number, x: (time: number) => number, bottom: number): string[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((us) => us * 1000);
  const step = steps.find((one) => (to - from) / one <= 14) ?? to - from;
  const parts: string[] = [];
  for (let time = 0; time <= to - from; time += step) {
    const at = x(from + time).toFixed(1);
    parts.push(`<line x1="${at}" x2="${at}" y1="${TOP}" y2="${bottom - 8}" class="grid"/>`);
    parts.push(text(Number(at), bottom + 8, `${time / 1000} µs`, 'small', 'middle'));
  }
  return parts;
}

/** The numbers of the stations above the service in which they are; those that come close together share a badge, and badges do not overlap. */
function badges(
  stations: Recording['stations'],
  boxes: readonly Span[],
  x: (time: number) => number,
  laneTop: (thread: number) => number,
): string[] {
  const groups: { x: number; readonly thread: number; readonly numbers: number[] }[] = [];
  stations.forEach(({ thread, at, place }, i) => {
    const own = boxes.filter((span) => span.thread === thread && span.to >= at - CLOCK_STEP);
    const near = own.find(({ name }) => name === place) ?? own[0];
    const position = x(near === undefined ? at : Math.max(near.from, at - CLOCK_STEP));
    const last = groups.at(-1);
    if (last?.thread === thread && position - last.x < SHARED) last.numbers.push(i + 1);
    else
      groups.push({
        x: Math.max(position, last?.thread === thread ? last.x + SHARED : 0),
        thread,
        numbers: [i + 1],
      });
  });
  return groups.flatMap(({ x: at, thread, numbers }) => {
    const words = numbers.length > 2 ? `${numbers[0]!}–${numbers.at(-1)!}` : numbers.join(' ');
    const width = words.length * 7 + 10;
    const y = laneTop(thread) + 6;
    const left = Math.min(at, WIDTH - RIGHT - width);
    return [
      `<rect x="${left.toFixed(1)}" y="${y}" width="${width}" height="17" rx="8" class="badge"/>`,
      text(left + width / 2, y + 12.5, words, 'number', 'middle'),
    ];
  });
}

/** What happened at each station, in two columns. */
function legend(stations: Recording['stations'], top: number): string[] {
  const rows = Math.ceil(stations.length / 2);
  return [
    text(
      12,
      top + 8,
      'The stations of the packet, in order (buffer ' +
        `0x${stations[0]!.buffer.toString(16)}` +
        ' all the way: it is never copied):',
      'note',
    ),
    ...stations.map(({ place, text: what, thread }, i) => {
      const column = i < rows ? 0 : 1;
      const words = `${String(i + 1).padStart(2)}  thread ${thread}  ${place.padEnd(12)} ${what}`;
      return text(12 + column * 590, top + 30 + (i - column * rows) * LINE, words, 'small');
    }),
  ];
}
