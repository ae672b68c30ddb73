/** What a link does to frames, as a reader would put it: `1 ms ± 0.1 ms, 0.1 % loss, 100 Mbit/s`. */
import type { Impairments, LinkEnd, NormalLink } from '../file/model.ts';
import { formatDuration, formatRate } from '../file/units.ts';

/** Empty for a perfect link; what differs by direction is told apart by who sends. */
export function linkImpairments(link: NormalLink): string {
  const serial = link.baud === undefined ? '' : `serial, ${link.baud} baud`;
  const texts = link.directions.map((direction) => impairmentText(direction, serial));
  if (texts.every((text) => text === texts[0])) return texts[0] ?? '';
  return link.ends.map((end, i) => `from ${endName(end)}: ${texts[i] || 'perfect'}`).join('; ');
}

function endName(end: LinkEnd): string {
  return end.kind === 'node' ? end.node : end.name;
}

/** @param serial what a serial line is, instead of a rate; empty for other links */
function impairmentText(impairments: Impairments, serial: string): string {
  const { delayNs, jitterNs, lossP, duplicateP, reorderP, corruptP, rateBps } = impairments;
  return [
    delayText(delayNs, jitterNs),
    shareText(lossP, 'loss'),
    shareText(duplicateP, 'duplicated'),
    shareText(reorderP, 'reordered'),
    shareText(corruptP, 'corrupted'),
    rateBps === 0 || serial !== '' ? '' : rateText(rateBps),
    serial,
  ]
    .filter((text) => text !== '')
    .join(', ');
}

function delayText(delayNs: number, jitterNs: number): string {
  const jitter = jitterNs === 0 ? '' : ` ± ${spaced(formatDuration(jitterNs))}`;
  return delayNs === 0 && jitter === '' ? '' : `${spaced(formatDuration(delayNs))}${jitter}`;
}

function shareText(probability: number, what: string): string {
  return probability === 0 ? '' : `${Number((probability * 100).toPrecision(6))} % ${what}`;
}

const RATE_UNITS: Readonly<Record<string, string>> = {
  bit: 'bit/s',
  kbit: 'kbit/s',
  mbit: 'Mbit/s',
  gbit: 'Gbit/s',
};

function rateText(bitsPerSecond: number): string {
  const text = spaced(formatRate(bitsPerSecond));
  return text.replace(/[a-z]+$/, (unit) => RATE_UNITS[unit] ?? unit);
}

/** `100us` as `100 us`, µ where it belongs. */
function spaced(quantity: string): string {
  return quantity.replace(/[a-z]+$/, (unit) => ` ${unit === 'us' ? 'µs' : unit}`);
}
